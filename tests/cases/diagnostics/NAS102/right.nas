input image[1, 8, 8]
output logits[10]

let C = 8
let D = 16

network = conv(C, 3) >> conv(D, 3) >> global_avgpool >> linear(10)
