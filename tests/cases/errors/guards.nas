input image[1, 8, 8]
output logits[10]
choice Op(s) =
  | a = identity when s == 1
  | b = conv(8, 3, stride=2) when s == 2
network = conv(8, 3) >> Op(3) >> global_avgpool >> linear(10)
