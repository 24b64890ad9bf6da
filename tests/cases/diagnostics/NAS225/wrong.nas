input image[1, 8, 8]
output logits[10]

choice Op(c) =
  | skip = identity when c == 8
  | conv = conv(c, 3)

let o in Op

network = conv(8, 3) >> o(16) >> global_avgpool >> linear(10)
