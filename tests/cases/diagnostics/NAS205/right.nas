input image[1, 8, 8]
output logits[10]

let widths = 1..64 step 9

network = conv(max(widths), 3) >> global_avgpool >> linear(10)
