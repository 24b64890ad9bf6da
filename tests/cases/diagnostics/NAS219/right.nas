input image[1, 8, 8]
output logits[10]

network = chain(conv(8, 3) for i in 1..3) >> global_avgpool >> linear(10)
