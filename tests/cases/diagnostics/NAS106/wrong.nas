input image[1, 8, 8]
output logits[10]

block Stack(c) = conv(c, 3) >> Stack(c)

network = Stack(8) >> global_avgpool >> linear(10)
