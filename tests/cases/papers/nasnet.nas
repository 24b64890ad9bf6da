space nasnet "the NASNet cell (Zoph et al. 2018), every node joined at the end"

input  image[3, 32, 32]
output logits[10]

let C = 16
let N = 2

block ConvBn(c, k, stride) = relu >> separable(c, k, stride=stride, bias=false) >> bn
block Fit(c) = relu >> conv(c, 1, bias=false) >> bn

choice Op(c, stride) =
  | skip = if stride == 1 then identity else factorized_reduction(c)
  | sep3 = ConvBn(c, 3, stride)
  | sep5 = ConvBn(c, 5, stride)
  | avg  = avgpool(3, stride=stride)
  | max  = maxpool(3, stride=stride)

cell Normal(c) {
  input  h[0], h[1]
  node   s[0] = Fit(c)(h[0])
  node   s[1] = Fit(c)(h[1])
  node   s[j in 2..6] = sum(Op(c, 1)(s[i]) for i in pick 2 of 0..j-1)
  output concat(s[2..6])
}

network {
  input  x
  node   a[0] = (conv(C, 3, bias=false) >> bn)(x)
  node   a[1] = a[0]
  node   a[j in 2..N+1] = Normal(C)(a[j-2], a[j-1])
  output (global_avgpool >> linear(10))(a[N+1])
}
