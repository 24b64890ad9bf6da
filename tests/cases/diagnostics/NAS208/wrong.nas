input image[1, 8, 8]
output logits[10]

let C = 2^9999999

network = conv(C, 3) >> global_avgpool >> linear(10)
