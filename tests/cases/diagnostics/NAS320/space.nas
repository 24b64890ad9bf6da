input image[1, 8, 8]
output logits[10]

let limit = 1k

network = conv(width, 3) >> global_avgpool >> linear(10)
  where width in {8, 16, 128}

require params <= limit
