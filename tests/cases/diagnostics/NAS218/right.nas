input image[1, 8, 8]
output logits[10]

let C(n) = 8 * n

network = conv(C(2), 3) >> global_avgpool >> linear(10)
