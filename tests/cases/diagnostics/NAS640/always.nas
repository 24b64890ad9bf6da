input image[1, 8, 8]
output logits[10]

network = maxpool(4) >> flatten >> linear(10)

data digits
train { steps 2, batch 8 }
objective { maximize accuracy }
search random { samples 1 }
