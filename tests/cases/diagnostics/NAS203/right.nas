input image[1, 8, 8]
output logits[10]

let deep = 3

network = (if deep > 2 then conv(8, 3) * 2 else conv(8, 3)) >> global_avgpool >> linear(10)
