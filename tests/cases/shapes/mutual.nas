# Two choices that lead to each other.
# fits
input image[2, 6, 6]
output logits[3]
choice A recursion 2 = | a = relu | b = B
choice B recursion 2 = | x = bn | y = A >> A
network = A >> global_avgpool >> linear(3)
