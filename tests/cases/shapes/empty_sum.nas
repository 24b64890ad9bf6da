# A sum over no chosen input is zeros.
# fits
input image[2, 6, 6]
output logits[3]
cell A(c) {
  input  n[0]
  node   n[1] = sum(conv(2, 1)(n[i]) for i in some of 0..0)
  output n[1] + n[0]
}
network = A(2) >> global_avgpool >> linear(3)
