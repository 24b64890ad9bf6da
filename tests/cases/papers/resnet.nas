space resnet "ResNets of four stages: depth and width of each, width never falling, basic or bottleneck"

input  image[3, 64, 64]
output logits[200]

let kind in {1, 4}

block Fit(c, stride) =
  if stride == 1 and cin == c then identity else conv(c, 1, stride=stride, bias=false) >> bn
block Basic(c, stride) =
     conv(c, 3, stride=stride, bias=false)
  >> bn
  >> relu
  >> conv(c, 3, bias=false)
  >> bn
block Bottleneck(c, stride) =
     conv(c, 1, bias=false) >> bn >> relu >> conv(c, 3, stride=stride, bias=false) >> bn >> relu
  >> conv(4 * c, 1, bias=false) >> bn
block Unit(c, stride) =
     (Fit(c * kind, stride) + (if kind == 1 then Basic(c, stride) else Bottleneck(c, stride)))
  >> relu
block Stage(stride) = Unit(w, stride) >> Unit(w, 1) * (d - 1) where w in 32..256 step 32 d in 1..6

network =
     conv(64, 3, bias=false) >> bn >> relu
  >> Stage(1) >> Stage(2) >> Stage(2) >> Stage(2)
  >> global_avgpool >> linear(200)
