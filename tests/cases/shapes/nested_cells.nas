# A cell inside a cell is the same design wherever it stands.
# fits
input image[2, 6, 6]
output logits[3]
choice Op(c) = | a = conv(c, 3) | b = conv(c, 1) >> relu
cell A(c) {
  input  x
  node   y = Op(c)(x)
  output y
}
cell B(c) {
  input  x
  node   y = A(c)(x)
  node   z = Op(c)(y) + A(c)(y)
  output z
}
network = B(2) >> A(2) >> B(4) >> global_avgpool >> linear(3)
