input image[1, 8, 8]
output logits[10]

let limit = 4

choice Layer =
  | conv = conv(4, 3)
  | act  = relu
  | none = identity

network = conv(4, 3) >> Layer * 14 >> conv(8, 3) >> global_avgpool >> linear(10)

require depth <= limit
