input image[1, 8, 8]
output logits[10]

block Stem(c) = conv(c, 3) >> relu

network = Stem(8) >> global_avgpool >> linear(10)
