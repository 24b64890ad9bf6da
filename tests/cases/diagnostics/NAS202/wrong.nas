input image[1, 8, 8]
output logits[10]

let N = 5 / 2

network = conv(8, 3) * N >> global_avgpool >> linear(10)
