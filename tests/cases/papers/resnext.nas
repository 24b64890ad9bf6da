space resnext "ResNeXt (Xie et al. 2017): groups must divide the width"
input  image[3, 32, 32]
output logits[10]
block Fit(c, s) = if s == 1 and cin == c then identity else conv(c, 1, stride=s, bias=false) >> bn
choice G(c, s) =
  | g1 = conv(c, 3, stride=s, groups=1, bias=false)
  | g2 = conv(c, 3, stride=s, groups=2, bias=false) when c % 2 == 0
  | g3 = conv(c, 3, stride=s, groups=3, bias=false) when c % 3 == 0
  | g4 = conv(c, 3, stride=s, groups=4, bias=false) when c % 4 == 0
  | g8 = conv(c, 3, stride=s, groups=8, bias=false) when c % 8 == 0
block Unit(s) =
     (Fit(2*w, s)
      + (conv(w, 1, bias=false)
         >> bn
         >> relu
         >> G(w, s)
         >> bn
         >> relu
         >> conv(2*w, 1, bias=false)
         >> bn))
  >> relu
  where w in 8..48 step 8
network = conv(16, 3) >> Unit(1) >> Unit(2) >> Unit(2) >> global_avgpool >> linear(10)
neighborhood {
  edit width:  step w
  edit groups: any G
}
