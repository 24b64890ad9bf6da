space enas_macro "the macro space of ENAS (Pham et al. 2018), of 8 layers"

input  image[3, 32, 32]
output logits[10]

let C = 36

choice Op =
  | conv3 = conv(C, 3, bias=false) >> bn >> relu
  | conv5 = conv(C, 5, bias=false) >> bn >> relu
  | sep3  = separable(C, 3, bias=false) >> bn >> relu
  | sep5  = separable(C, 5, bias=false) >> bn >> relu
  | avg   = avgpool(3, stride=1)
  | max   = maxpool(3, stride=1)

let skips[j in 2..8] = some of 0..j-2

network {
  input  x
  node   n[0] = (conv(C, 3, bias=false) >> bn)(x)
  node   n[1] = Op(n[0])
  node   n[j in 2..8] = (Op >> bn)(add(n[j-1], n[i] for i in skips[j]))
  output (global_avgpool >> linear(10))(n[8])
}
