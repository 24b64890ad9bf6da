space einspace "a grammar of sequences, branches and routing (after einspace, Ericsson et al. 2024)"
input  image[3, 16, 16]
output logits[10]
let C = 8
choice Compute =
  | id    = identity
  | lin   = conv(C, 1)
  | conv3 = conv(C, 3)
  | norm  = bn
  | relu  = relu
  | soft  = softmax
choice M recursion 4 =
  | comp  = Compute
  | seq   = M >> M
  | add   = M + M
  | gate  = mul(M, M)
  | cat   = (M ++ M) >> conv(C, 1)
  | route = maxpool(2) >> M >> upsample(2)
network = conv(C, 3) >> M >> global_avgpool >> linear(10)
