space five

input image[1, 8, 8]
output logits[10]

block Unit(c, k) = conv(c, k, bias=false) >> bn >> relu
block Bad(c) = convv(c, 3) >> bn
choice Op(c) =
  | a = Unit(c)
  | b = conv(c, "x")
  | d = maxpool(2)

network = Unit(8, 3) >> (identity + Op(8)) >> Bad(8) >> global_avgpool >> linear(10)

train { epoch 12 }
