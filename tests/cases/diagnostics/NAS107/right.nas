input image[1, 8, 8]
output logits[10]

let C = 8

network = conv(C, 3) >> conv(C, 3) >> global_avgpool >> linear(10)
