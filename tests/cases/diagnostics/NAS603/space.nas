input image[1, 8, 8]
output logits[10]

network = conv(width, 3) >> global_avgpool >> linear(10)
  where width in {4, 8}

data digits(train=100, validation=100)
train { epochs 1 }
search random { samples 1 }
