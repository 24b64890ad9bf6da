# Several comprehensions in one equation are told apart.
# fits
input image[2, 6, 6]
output logits[3]
choice Op = | a = identity | b = relu
network {
  input image
  node x[0] = relu(image)
  node x[1] = sigmoid(x[0])
  node y = sum(Op(x[i]) for i in pick 1 of 0..1) + sum(Op(x[i]) for i in 0..1)
  node z = add(Op(x[i]) for i in pick 1 of 0..1, x[i] for i in some of 0..1)
  output (global_avgpool >> linear(3))(y + z)
}
