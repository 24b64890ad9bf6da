input image[1, 8, 8]
output logits[10]

let widths = {8 * i for i in pick 2 of 1..4}

network = conv(max(widths), 3) >> global_avgpool >> linear(10)
