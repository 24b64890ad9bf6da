# A cell that only some architectures use is decided only there.
# fits
input image[2, 6, 6]
output logits[3]
choice Op(c) = | a = conv(c, 3) | b = conv(c, 1) >> relu
cell A(c) {
  input  x
  node   y = Op(c)(x)
  output y
}
choice Q(c) = | p = A(c) >> A(c) | q = relu
cell B(c) {
  input  x
  node   y = Q(c)(x)
  output y
}
network = B(2) >> B(2) >> global_avgpool >> linear(3)
