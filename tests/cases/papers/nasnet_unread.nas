space nasnet_unread "the NASNet cell (Zoph et al. 2018): pairs with repetition, what nothing reads is joined"
input  image[3, 32, 32]
output logits[10]
let C = 8
block ConvBn(c, k) = relu >> separable(c, k, bias=false) >> bn
choice Op(c) =
  | skip = identity
  | sep3 = ConvBn(c, 3)
  | sep5 = ConvBn(c, 5)
  | avg  = avgpool(3, stride=1)
  | max  = maxpool(3, stride=1)
cell Normal(c) {
  let a[j in 2..6] in 0..j-1
  let b[j in 2..6] in 0..j-1
  input  s[0], s[1]
  node   s[j in 2..6] = Op(c)(s[a[j]]) + Op(c)(s[b[j]])
  output (conv(c, 1, bias=false) >> bn)(
           concat(s[i] for i in 2..6 if all(a[j] != i and b[j] != i for j in 3..6)))
}
network {
  input  x
  node   h[0] = (conv(C, 3, bias=false) >> bn)(x)
  node   h[1] = h[0]
  node   h[j in 2..4] = Normal(C)(h[j-2], h[j-1])
  output (global_avgpool >> linear(10))(h[4])
}
