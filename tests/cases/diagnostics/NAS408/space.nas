input image[1, 8, 8]
output logits[10]

let width = 8

network = conv(width, 3) >> global_avgpool >> linear(10)
