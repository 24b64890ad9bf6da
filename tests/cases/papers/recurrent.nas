space nasbench_nlp "recurrent cells as NAS-Bench-NLP has them (Klyuchnikov et al. 2020), one step unrolled"

input  x[16]
input  h[16]
output y[16]

choice Act = | tanh = tanh | sigmoid = sigmoid | leaky = leaky_relu | id = identity

network {
  input  x, h
  node   a = linear(16)(x)
  node   b = linear(16, bias=false)(h)
  node   n[1] = Act(a + b)
  node   n[j in 2..4] = mul(sigmoid(a), Act(n[j-1])) + Act(sum(n[i] for i in pick 1 of 1..j-1))
  output n[4]
}
