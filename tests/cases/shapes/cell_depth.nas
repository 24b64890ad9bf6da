# The number of nodes of a cell may itself be chosen.
# fits
input image[2, 6, 6]
output logits[3]
choice Op(c) = | a = conv(c, 3) | b = relu >> conv(c, 1)
cell A(n) {
  input  x[0]
  node   x[i in 1..n] = Op(2)(x[i-1])
  output x[n]
}
network = A(n) >> A(n) >> global_avgpool >> linear(3)
  where n in 1..2
