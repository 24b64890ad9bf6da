input image[1, 8, 8]
output logits[10]

choice Stack(c) recursion 3 =
  | last = conv(c, 3)
  | more = conv(c, 3) >> Stack(c)

network = Stack(8) >> global_avgpool >> linear(10)
