# The same where the sizes need not agree.
# fits
input image[2, 6, 6]
output logits[3]
choice D = | a = identity | b = maxpool(2)
cell C(c) {
  input  n
  node   e = (D >> conv(c, 1))(n)
  output e
}
network = ((C(2) >> global_avgpool) + (C(4) >> conv(2,1) >> global_avgpool)) >> linear(3)
