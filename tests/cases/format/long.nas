space long "lines that do not fit"
input image[3, 32, 32]
output logits[10]
let sizes = {16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192}
block Separable(c, k, s, d = 1) = relu >> depthwise(k, stride=s, dilation=d, bias=false) >> conv(c, 1, bias=false) >> bn
block Layer(c, stride, se, act) = inverted_residual(c, kernel=k, expand=e, stride=stride, se=se, act=act) where k in {3, 5, 7} e in {3, 4, 6} ratio in {2}
choice Conv(c) = | plain = Unit(c, 3) | wide = Unit(c, 5) | residual = Unit(c, 3) >> (identity + Unit(c, 3)) when c > 8
choice Long(c) = | with_a_long_name = Separable(c, 3, stride=1) >> Separable(c, 5, stride=2) >> Separable(c, 3, 1) when c > 8 | b = identity
let width(i) = C * (if i < layers // 3 then 1 else if i < 2 * layers // 3 then 2 else if i < 3 * layers // 3 then 4 else 8)
cell Normal(c) { input x[0], x[1] node x[j in 2..5] = sum(Op(c, 1)(x[i]) for i in pick 2 of 0..j-1) let w = c*2 output concat(x[2..5]), x[1] }
require params + macs <= 1000000 and count(skip) <= 2 and edges(Cell) <= 9 and all(w[i+1] <= w[i] for i in 1..n-1)
neighborhood { edit cut: Join.concat | Join.add -> Join.drop radius 2 edit both: step width by 2 then step depth by -1 at Normal, Reduction where depth > 2 weight 0.5 }
op Attention(d, heads = 4): [T, _], [T, _] -> [T, d] params 4*d*d + 2*d macs heads * T * T * d + 4*d*d = python "package.operations:Attention"
train { epochs 12, batch 64, sgd(lr=0.1, momentum=0.9, weight_decay=5e-4), cosine, clip 1, sam(rho=0.05) }
objective { maximize accuracy, minimize params }
