input image[1, 8, 8]
output logits[10]

cell Join(c) {
  input a, b
  output conv(c, 3)(a) + b
}

network = conv(8, 3) >> Join(8) >> global_avgpool >> linear(10)
