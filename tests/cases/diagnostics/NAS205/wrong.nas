input image[1, 8, 8]
output logits[10]

let widths = 1..10M

network = conv(max(widths), 3) >> global_avgpool >> linear(10)
