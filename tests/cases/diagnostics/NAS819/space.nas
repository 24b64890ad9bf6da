input image[1, 8, 8]
output logits[10]

let w[i in 1..8] in {4, 8, 12}

network = chain(conv(w[i], 3) for i in 1..8) >> global_avgpool >> linear(10)
