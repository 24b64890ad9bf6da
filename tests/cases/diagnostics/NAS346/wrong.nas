input image[1, 8, 8]
output logits[10]

network = conv(8, 5) >> relu >> global_avgpool >> linear(10)

neighborhood {
  edit factor: conv(c, 5) -> conv(d, 3) >> conv(c, 3)
}
