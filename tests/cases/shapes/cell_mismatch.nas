# Uses of a cell in one architecture that differ in what there is to decide.
# breaks
input image[2, 6, 6]
output logits[3]
choice Op(c) = | a = conv(c, 3) | b = conv(c, 1) >> relu
cell A(n) {
  input  x[0]
  node   x[i in 1..n] = Op(2)(x[i-1])
  output x[n]
}
network = A(2) >> A(3) >> global_avgpool >> linear(3)
