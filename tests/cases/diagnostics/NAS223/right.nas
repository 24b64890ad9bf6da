input image[1, 8, 8]
output logits[10]

cell Join(c) {
  input a
  output conv(c, 3)(a) + a
}

network = conv(8, 3) >> Join(8) >> global_avgpool >> linear(10)
