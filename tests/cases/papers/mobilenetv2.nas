space mobilenetv2 "MobileNetV2 with widths by a multiplier, kernels and expansions by stage"

input  image[3, 96, 96]
output logits[10]

let m in {0.35, 0.5, 0.75, 1.0, 1.4}
let wide(c) = max(8, 8 * floor((c * m + 4) / 8))

block Stage(c, n, stride, t) =
     inverted_residual(wide(c), kernel=k, expand=e, stride=stride, act=relu6)
  >> inverted_residual(wide(c), kernel=k, expand=e, act=relu6) * (n - 1)
  where k in {3, 5}
        e in {t, 3}

network =
     conv(wide(32), 3, stride=2, bias=false) >> bn >> relu6
  >> Stage(16, 1, 1, 1) >> Stage(24, 2, 2, 6) >> Stage(32, 3, 2, 6) >> Stage(64, 4, 2, 6)
  >> Stage(96, 3, 1, 6) >> Stage(160, 3, 2, 6) >> Stage(320, 1, 1, 6)
  >> conv(1280, 1, bias=false) >> bn >> relu6 >> global_avgpool >> linear(10)
