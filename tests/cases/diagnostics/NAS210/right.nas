input image[1, 8, 8]
output logits[10]

block Double = conv(2 * cin, 3)

network = Double >> global_avgpool >> linear(10)
