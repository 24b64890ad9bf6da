input image[1, 8, 8]
output logits[10]

network = conv(8, 3) >> global_avgpool >> linear(10)

data digits(train=40, validation=40)
train { epochs 1, batch 20 }
search darts { epochs 1, batch 20 }
