# One operation, chosen as a value, applied in several places.
# fits
input image[2, 6, 6]
output logits[3]
choice Op(c) = | a = conv(c, 3) | b = relu >> conv(c, s) where s in {1, 3}
let o[j in 1..2] in Op
network = o[1](2) >> o[2](2) >> o[1](4) >> global_avgpool >> linear(3)
