# A sum over an empty range is zeros, though nothing else reads the input.
# fits
input image[2, 6, 6]
output logits[3]
cell A(c) {
  input  n[0]
  node   n[1] = sum(conv(2, 1)(n[i]) for i in 1..0)
  output n[1]
}
network = A(2) >> global_avgpool >> linear(3)
