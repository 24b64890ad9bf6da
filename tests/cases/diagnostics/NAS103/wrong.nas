input image[1, 8, 8]
output logits[10]

network = conv() >> relu >> global_avgpool >> linear(10)
