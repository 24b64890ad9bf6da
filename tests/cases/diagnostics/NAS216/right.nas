input image[1, 8, 8]
output logits[10]

cell Cell(c) {
  input n[0]
  node n[i in 1..2] = conv(c, 3)(n[i-1])
  output n[2]
}

network = Cell(8) >> global_avgpool >> linear(10)
