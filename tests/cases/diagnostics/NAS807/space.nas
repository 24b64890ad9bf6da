space tiny

input image[1, 8, 8]
output logits[10]

choice Op(c) =
  | skip = identity
  | conv3 = conv(c, 3)
  | conv5 = conv(c, 5)

network = conv(8, 3) >> Op(8) * 2 >> global_avgpool >> linear(10)
