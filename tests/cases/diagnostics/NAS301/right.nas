input image[1, 8, 8]
output logits[10]

choice Op(c) =
  | skip = identity
  | conv3 = conv(c, 3)

network = conv(8, 3) >> Op(8) * 25 >> global_avgpool >> linear(10)
