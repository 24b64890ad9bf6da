input image[1, 8, 8]
output logits[10]

choice Op =
  | small = conv(8, 3)
  | large = conv(8, 5)

network = Op >> global_avgpool >> linear(10)
