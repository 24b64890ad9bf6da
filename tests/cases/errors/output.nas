input image[1, 8, 8]
output logits[10]
choice Head = | short = linear(10) | long = linear(12)
network = conv(8, 3) >> global_avgpool >> Head
