# A named set of inputs, which may be empty.
# fits
input image[2, 6, 6]
output logits[3]
let P[j in 1..2] = some of 0..j-1
choice Op(c) = | a = conv(c, 3) | b = relu
cell A(c) {
  input  n[0]
  node   n[j in 1..2] = sum(Op(c)(n[i]) for i in P[j])
  output n[1] + n[2]
}
network = A(2) >> global_avgpool >> linear(3)
