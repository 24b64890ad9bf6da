input image[1, 8, 8]
output logits[10]

let twice(c) = 2 * c

network = conv(twice, 3) >> global_avgpool >> linear(10)
