space darts_rnn "the recurrent cell of DARTS (one step): each node one earlier node and an activation"
input  x[32]
input  h[32]
output y[32]
choice Act = | tanh = tanh | relu = relu | sigmoid = sigmoid | identity = identity
block Gate(d) = linear(d, bias=false)
cell Step(d) {
  let from[j in 1..8] in 0..j-1
  input  x, h
  node   s[0] = linear(d)(concat(x, h)) + h
  node   s[j in 1..8] =
             s[from[j]]
           + mul((Gate(d) >> sigmoid)(s[from[j]]), (Gate(d) >> Act)(s[from[j]]))
  output mean(s[1..8])
}
network {
  input  x, h
  output Step(32)(x, h)
}
