input image[1, 8, 8]
output logits[10]

network = conv(16, 7) >> global_avgpool >> linear(10)
