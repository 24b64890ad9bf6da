space fbnet "FBNet (Wu et al. 2019): 22 blocks of 9 candidates"

input  image[3, 224, 224]
output logits[1000]

block Pointwise(c, groups) = conv(c, 1, groups=groups, bias=false) >> bn
block MB(c, k, e, groups, stride) =
     Pointwise(e * cin, groups) >> relu
  >> (if groups > 1 then channel_shuffle(groups) else identity)
  >> depthwise(k, stride=stride, bias=false) >> bn >> relu
  >> Pointwise(c, groups)
block Fit(c, stride) =
  if stride == 1 and cin == c then identity else conv(c, 1, stride=stride, bias=false) >> bn

choice Block(c, stride) =
  | k3_e1    = MB(c, 3, 1, 1, stride)
  | k3_e1_g2 = MB(c, 3, 1, 2, stride)
  | k3_e3    = MB(c, 3, 3, 1, stride)
  | k3_e6    = MB(c, 3, 6, 1, stride)
  | k5_e1    = MB(c, 5, 1, 1, stride)
  | k5_e1_g2 = MB(c, 5, 1, 2, stride)
  | k5_e3    = MB(c, 5, 3, 1, stride)
  | k5_e6    = MB(c, 5, 6, 1, stride)
  | skip     = Fit(c, stride)

block Stage(c, n, stride) = Block(c, stride) >> Block(c, 1) * (n - 1)

network =
     conv(16, 3, stride=2, bias=false) >> bn >> relu
  >> Stage(16, 1, 1)
  >> Stage(24, 4, 2)
  >> Stage(32, 4, 2)
  >> Stage(64, 4, 2)
  >> Stage(112, 4, 1)
  >> Stage(184, 4, 2)
  >> Stage(352, 1, 1)
  >> conv(1984, 1, bias=false) >> bn >> relu >> global_avgpool >> linear(1000)
