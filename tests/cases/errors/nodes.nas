# A node does not go with another, and a module not with what stands before it.
input  image[3, 8, 8]
output logits[10]

cell Cell(c) {
  input  x
  node   a = conv(c, 3)(x)
  node   b = conv(c, 3, stride=2)(x)
  node   d = (avgpool(2) >> relu >> linear(c))(x)
  output concat(x, a, b)
}

network = conv(8, 3) >> Cell(8) >> global_avgpool >> linear(10)
