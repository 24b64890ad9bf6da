input image[1, 8, 8]
output logits[10]

choice Op(c, stride) =
  | conv = conv(c, 3, stride=stride)
  | skip = identity when stride == 1

network = conv(8, 3) >> Op(8, 1) >> global_avgpool >> linear(10)
