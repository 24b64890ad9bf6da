# Copies and a chain whose number is chosen.
# fits
input image[2, 6, 6]
output logits[3]
let n in 1..2
block L(i) = conv(2, k) where k in {1, 3}
network = chain(L(i) for i in 1..n) >> L(1) * n >> global_avgpool >> linear(3)
