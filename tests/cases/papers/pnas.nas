space pnas "PNAS (Liu et al. 2018)"
input  image[3, 32, 32]
output logits[10]
let F = 12
block Sep(c, k, s) = relu >> separable(c, k, stride=s, bias=false) >> bn
choice Op(c, s) =
  | sep3 = Sep(c, 3, s)
  | sep5 = Sep(c, 5, s)
  | sep7 = Sep(c, 7, s)
  | c1x7 = relu >> conv(c, 7, stride=s, bias=false) >> bn
  | id   = if s == 1 then identity else factorized_reduction(c)
  | avg  = avgpool(3, stride=s)
  | max  = maxpool(3, stride=s)
  | dil  =
      if s == 1 then conv(c, 3, dilation=2, bias=false) >> bn
      else conv(c, 3, stride=2, dilation=2, bias=false) >> bn
cell Cell(c, s) {
  let l[j in 2..6] in 0..j-1
  let r[j in 2..6] in 0..j-1
  input  p, q
  node   x[0] = p
  node   x[1] = q
  node   x[j in 2..6] =
             Op(c, if l[j] < 2 then s else 1)(x[l[j]])
           + Op(c, if r[j] < 2 then s else 1)(x[r[j]])
  output concat(x[2..6])
}
block Fit(c, s) = relu >> conv(c, 1, stride=s, bias=false) >> bn
network {
  input  x
  node   a[0] = conv(F, 3)(x)
  node   a[1] = Cell(F, 1)(a[0], a[0])
  node   a[2] = Cell(2*F, 2)(Fit(2*F, 1)(a[0]), Fit(2*F, 1)(a[1]))
  node   a[3] = Cell(2*F, 1)(Fit(2*F, 2)(a[1]), Fit(2*F, 1)(a[2]))
  output (global_avgpool >> linear(10))(a[3])
}
