input image[1, 8, 8]
output logits[10]

network = conv("eight", 3) >> global_avgpool >> linear(10)
