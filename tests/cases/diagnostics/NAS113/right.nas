use "blocks.nas"

input image[1, 8, 8]
output logits[10]

network = Stem(8) >> global_avgpool >> linear(10)
