# What one use of a cell forbids cannot go wrong in another.
# fits
input image[2, 6, 6]
output logits[3]
choice D(s) = | a = conv(4, 3) when s == 1 | b = conv(2, 3, stride=s) | c = maxpool(3, stride=s)
cell C(s) {
  input  n
  node   e = (D(s) >> (identity + conv(2, 1)))(n)
  output e
}
network = C(1) >> C(2) >> global_avgpool >> linear(3)
