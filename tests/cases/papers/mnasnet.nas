space mnasnet "MnasNet (Tan et al. 2019): factorized hierarchical space, one design a block"
input  image[3, 64, 64]
output logits[10]
block Gate(se) = if se then squeeze_excite(4) else identity
choice Conv(c, k, stride, se) =
  | conv = conv(c, k, stride=stride, bias=false) >> bn >> relu >> Gate(se)
  | sep  = separable(c, k, stride=stride, bias=false) >> bn >> relu >> Gate(se)
  | mb3  = inverted_residual(c, kernel=k, expand=3, stride=stride, se=se)
  | mb6  = inverted_residual(c, kernel=k, expand=6, stride=stride, se=se)
choice Skip =
  | pool = maxpool(3, stride=1)
  | id   = identity
  | none = zero
# one operation and one skip for all layers of a block
block Block(c, n, stride) =
     what(ch, k, stride, se)
  >> (what(ch, k, 1, se) + skip) * (n + more)
  where what in Conv
        skip in Skip
        k    in {3, 5}
        se   in {false, true}
        ch   in {3*c//4, c, 5*c//4}
        more in {-1, 0, 1}
network =
     conv(8, 3)
  >> Block(8, 1, 1)
  >> Block(16, 2, 2)
  >> Block(24, 2, 2)
  >> global_avgpool
  >> linear(10)
