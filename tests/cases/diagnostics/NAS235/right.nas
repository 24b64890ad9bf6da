input words int[30]
output logits[2]

network = embedding(1000, 16) >> global_avgpool >> linear(2)
