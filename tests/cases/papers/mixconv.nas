space mixconv "MixConv (Tan & Le 2019): a set of depthwise kernels for each layer, at least one"
input  image[3, 32, 32]
output logits[10]
block Mix(c) = conv(c, 1) >> bn >> relu >> concat(depthwise(k) for k in K) >> bn >> conv(c, 1)
  where n in 1..4
        K = pick n of {3, 5, 7, 9}
network = conv(16, 3) >> Mix(16) * 4 >> global_avgpool >> linear(10)
