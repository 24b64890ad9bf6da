input image[1, 8, 8]
output logits[10]

let groups = 0

network = conv(8 // groups, 3) >> global_avgpool >> linear(10)
