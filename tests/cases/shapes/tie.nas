# Two uses of a cell with different arguments decide alike, so their sizes agree.
# fits
input image[2, 6, 6]
output logits[3]
choice D = | a = identity | b = maxpool(2)
cell C(c) {
  input  n
  node   e = (D >> conv(c, 1))(n)
  output e
}
network {
  input image
  node a = C(2)(image)
  node b = C(4)(image)
  output (global_avgpool >> linear(3))(a ++ b)
}
