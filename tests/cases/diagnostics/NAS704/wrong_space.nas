input image[1, 8, 8]
output logits[10]

network = conv(8, 3) >> global_avgpool >> linear(10)

data digits(train=100, validation=100000)
train { epochs 1 }
search random { samples 1 }
