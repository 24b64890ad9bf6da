space bignas "BigNAS (Yu et al. 2020), one resolution"

let size = 192
input  image[3, size, size]
output logits[1000]

block MB(c, k, e, stride) =
  inverted_residual(c, kernel=k, expand=e, stride=stride, se=true, act=silu)
block Stage(c, low, high, e, stride) =
     MB(width, kernel, e, stride)
  >> MB(width, kernel, e, 1) * (depth - 1)
  where width  in {c, c + 8}
        kernel in {3, 5}
        depth  in low..high

network =
     conv(32, 3, stride=2) >> bn >> silu
  >> Stage(16, 1, 2, 1, 1)
  >> Stage(24, 2, 3, 6, 2)
  >> Stage(40, 2, 3, 6, 2)
  >> Stage(80, 2, 4, 6, 2)
  >> Stage(112, 2, 6, 6, 1) >> Stage(192, 2, 6, 6, 2) >> Stage(320, 1, 2, 6, 1)
  >> conv(1280, 1) >> bn >> silu >> global_avgpool >> linear(1000)
