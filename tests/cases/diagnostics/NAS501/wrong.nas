input image[1, 8, 8]
output logits[10]

block Stem(c) = conv(c, 3) >> relu

network = conv(8, 3) >> global_avgpool >> linear(10)
