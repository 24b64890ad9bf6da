input image[1, 8, 8]
output logits[10]
network = conv(8, 3) >> identity + conv(8, 3) >> global_avgpool >> linear(10)
