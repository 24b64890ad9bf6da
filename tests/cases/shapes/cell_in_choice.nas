# A cell used by some alternatives.
# fits
input image[2, 6, 6]
output logits[3]
choice Op(c) = | a = conv(c, 3) | b = conv(c, 1) >> relu
cell A(c) {
  input  x
  node   y = Op(c)(x)
  output y
}
choice Q(c) = | p = A(c) >> A(2) | q = relu | r = conv(c, 1) >> A(c)
network = Q(2) >> Q(2) >> global_avgpool >> linear(3)
