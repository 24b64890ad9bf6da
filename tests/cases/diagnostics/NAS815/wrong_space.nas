input image[1, 8, 8]
output logits[10]

choice Op =
  | thin = conv(4, 3)
  | wide = conv(8, 3)

network = Op >> global_avgpool >> linear(10)
