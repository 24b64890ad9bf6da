input image[1, 8, 8]
output logits[4]

network = conv(8, 3) >> global_avgpool >> linear(4)
