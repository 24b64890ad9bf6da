# A node that no output depends on costs nothing in the live network.
# fits
input image[2, 6, 6]
output logits[3]
cell C(c) {
  input  n[0]
  node   n[j in 1..2] = sum((relu >> conv(c, 3))(n[i]) for i in pick 1 of 0..j-1)
  output n[2]
}
network = C(2) >> global_avgpool >> linear(3)
