# Shapes that do not go together, and where each comes from; numbers with a wrong suffix.
input  image[3, 8, 8]
output logits[10]

let w in {4, 8}

block Wide(c) = conv(c, 3) >> relu

network =
     conv(8, 3)
  >> (Wide(w) ++ identity ++ (conv(4, 3, stride=2) >> relu))
  >> global_avgpool
  >> linear(10)

require params <= 0.4K
require macs <= 3m
require params <= 4KB
