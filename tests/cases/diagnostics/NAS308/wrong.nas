input image[1, 8, 8]
output logits[10]

cell Cell(c, d) {
  input x
  output (maybe(conv(c, 3)) * d)(x)
}

network = conv(8, 3) >> Cell(8, 1) >> Cell(8, 2) >> global_avgpool >> linear(10)
