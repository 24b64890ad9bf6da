# A node that is written and never used is dead in every architecture.
# fits
input image[2, 6, 6]
output logits[3]
network {
  input image
  node a = conv(2, k)(image)
  node b = conv(4, 3)(image)
  output (global_avgpool >> linear(3))(b)
}
  where k in {1, 3}
