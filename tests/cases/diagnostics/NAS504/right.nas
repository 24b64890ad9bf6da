input image[1, 8, 8]
output logits[10]

cell Cell(c) {
  input x
  node a = conv(c, 3)(x)
  node b = conv(c, 5)(x)
  output a + b
}

network = Cell(8) >> global_avgpool >> linear(10)
