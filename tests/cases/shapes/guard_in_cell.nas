# A value that one use forbids is no value of the cell.
# fits
input image[2, 6, 6]
output logits[3]
choice D(s) = | a = identity when s == 1 | b = conv(2, 3, stride=s) | c = maxpool(3, stride=s)
cell C(s) {
  input  n
  node   e = D(s)(n)
  output e
}
network = C(1) >> C(2) >> global_avgpool >> linear(3)
