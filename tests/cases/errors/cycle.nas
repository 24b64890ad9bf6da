input image[1, 8, 8]
output logits[10]
cell C(c) {
  input  n[0]
  node   n[1] = conv(c, 3)(n[2])
  node   n[2] = relu(n[1])
  output n[2]
}
network = conv(8, 3) >> C(8) >> global_avgpool >> linear(10)
