input image[1, 8, 8]
output logits[10]

block Body(c, d) = maybe(conv(c, 3)) * d

network = conv(8, 3) >> Body(8, 1) >> Body(8, 2) >> global_avgpool >> linear(10)
