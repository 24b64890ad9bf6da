input image[1, 8, 8]
output logits[10]

choice Op(c) =
  | skip = identity
  | conv = conv(c, 3)

key "{Op2}"

network = conv(8, 3) >> Op(8) >> global_avgpool >> linear(10)
