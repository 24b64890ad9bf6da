input image[1, 8, 8]
output logits[10]

block Res = identity + conv(8, 3) >> relu

network = conv(8, 3) >> Res >> global_avgpool >> linear(10)
