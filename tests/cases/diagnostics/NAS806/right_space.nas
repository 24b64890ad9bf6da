input image[1, 8, 8]
output logits[10]

op Twice(): [C, H, W] -> [C, H, W] = python "own_module:Twice"

network = conv(8, 3) >> Twice() >> global_avgpool >> linear(10)
