# Copies by a chain, and copies inside a chain.
# fits
input image[2, 6, 6]
output logits[3]
choice Op(c) = | a = identity | b = conv(c, 1)
network = chain(Op(2) for i in 1..2) >> chain((Op(2) >> relu) * i for i in {1, 2} if i > 1) >> global_avgpool >> linear(3)
