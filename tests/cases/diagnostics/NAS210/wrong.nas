input image[1, 8, 8]
output logits[10]

let double = 2 * cin

network = conv(double, 3) >> global_avgpool >> linear(10)
