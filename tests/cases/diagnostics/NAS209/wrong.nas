input image[1, 8, 8]
output logits[10]

choice Op(c) =
  | skip = identity
  | conv = conv(c, 3)

let first = Op.skip

network = conv(8, 3) >> Op(8) >> conv(first, 3) >> global_avgpool >> linear(10)
