# Conditions on members of a family.
# fits
input image[2, 6, 6]
output logits[3]
let w[i in 1..3] in {2, 4}
network = chain(conv(w[i], 1) for i in 1..3 if i == 1 or w[i] == w[i-1]) >> global_avgpool >> linear(3)
