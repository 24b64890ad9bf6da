space flatnas_small "an elastic MobileNetV3 at 32x32, small: 3 stages of 1 or 2 layers"

input  image[3, 32, 32]
output logits[10]

block Layer(c, stride, se, act) =
  inverted_residual(c, kernel=k, expand=e, stride=stride, se=se, act=act)
  where k in {3, 5}
        e in {2, 3, 4}

block Stage(c, stride, se, act) = Layer(c, stride, se, act) >> Layer(c, 1, se, act) * (depth - 1)
  where depth in {1, 2}

network =
     conv(8, 5, stride=4, bias=false) >> bn >> hswish
  >> Stage(12, 1, false, relu)
  >> Stage(20, 2, true, relu)
  >> Stage(32, 1, true, hswish)
  >> conv(96, 1, bias=false) >> bn >> hswish
  >> global_avgpool >> linear(10)

require params <= 30k

neighborhood {
  edit kernel: step k
  edit expand: step e
  edit depth:  step depth
}

objective { maximize accuracy, minimize flatness.weights(copies=8), minimize params }
