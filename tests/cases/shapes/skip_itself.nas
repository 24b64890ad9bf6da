# A comprehension's condition keeps a node from reading itself.
# fits
input image[2, 6, 6]
output logits[3]
choice Op = | a = identity | b = relu
cell C {
  input  n[0]
  node   n[j in 1..2] = sum(Op(n[i]) for i in 0..j if i != j)
  output n[2]
}
network = C >> global_avgpool >> linear(3)
