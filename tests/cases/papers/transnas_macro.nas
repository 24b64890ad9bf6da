space transnas_macro "the macro skeletons of TransNAS-Bench-101 (Duan et al. 2021)"

input  image[3, 64, 64]
output logits[47]

block Unit(c, s) =
    (conv(c, 3, stride=s, bias=false) >> bn >> relu >> conv(c, 3, bias=false) >> bn)
  + conv(c, 1, stride=s)

choice Module =
  | same = Unit(cin, 1)
  | wide = Unit(2 * cin, 1)
  | down = Unit(cin, 2)
  | both = Unit(2 * cin, 2)

network = conv(32, 3, stride=2) >> Module * depth >> global_avgpool >> linear(47)
  where depth in 4..6

require count(wide, both) in 1..3
require count(down, both) in 1..4
