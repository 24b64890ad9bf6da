space macro "NAS-Bench-Macro (Su et al. 2021): eight layers of three operations, 3^8"

input  image[3, 32, 32]
output logits[10]

let channels = {64, 128, 256}

choice Layer(c, stride) =
  | skip   =
      if stride == 1 and cin == c then identity else conv(c, 1, stride=stride, bias=false) >> bn
  | mb3_k3 = inverted_residual(c, kernel=3, expand=3, stride=stride)
  | mb6_k5 = inverted_residual(c, kernel=5, expand=6, stride=stride)

network =
     conv(32, 3, bias=false) >> bn >> relu
  >> Layer(channels[0], 2) >> Layer(channels[0], 1)
  >> Layer(channels[1], 2) >> Layer(channels[1], 1) * 2
  >> Layer(channels[2], 2) >> Layer(channels[2], 1) * 2
  >> conv(1280, 1, bias=false) >> bn >> relu
  >> global_avgpool >> linear(10)

neighborhood {
  edit swap: any Layer
}
