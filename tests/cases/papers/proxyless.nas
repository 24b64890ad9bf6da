space proxyless "ProxylessNAS (Cai et al. 2019): 6 candidates, or 7 with the skip"

input  image[3, 224, 224]
output logits[1000]

choice Block(c, stride, first) =
  | zero  = identity when not first
  | mb3_3 = inverted_residual(c, kernel=3, expand=3, stride=stride, act=relu6)
  | mb3_6 = inverted_residual(c, kernel=3, expand=6, stride=stride, act=relu6)
  | mb5_3 = inverted_residual(c, kernel=5, expand=3, stride=stride, act=relu6)
  | mb5_6 = inverted_residual(c, kernel=5, expand=6, stride=stride, act=relu6)
  | mb7_3 = inverted_residual(c, kernel=7, expand=3, stride=stride, act=relu6)
  | mb7_6 = inverted_residual(c, kernel=7, expand=6, stride=stride, act=relu6)

block Stage(c, n, stride) = Block(c, stride, true) >> Block(c, 1, false) * (n - 1)

network =
     conv(32, 3, stride=2, bias=false) >> bn >> relu6
  >> inverted_residual(16, kernel=3, expand=1)
  >> Stage(24, 4, 2) >> Stage(40, 4, 2) >> Stage(80, 4, 2) >> Stage(96, 4, 1)
  >> Stage(192, 4, 2) >> Stage(320, 1, 1)
  >> conv(1280, 1, bias=false) >> bn >> relu6 >> global_avgpool >> linear(1000)
