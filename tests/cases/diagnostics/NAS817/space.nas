input image[1, 8, 8]
output logits[10]

choice Op(s) =
  | skip = identity when s == 1
  | conv3 = conv(8, 3)
  | conv5 = conv(8, 5)

network = conv(8, 3) >> Op(s) >> global_avgpool >> linear(10)
  where s in {1, 2}
