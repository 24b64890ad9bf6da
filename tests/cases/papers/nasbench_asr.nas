space nasbench_asr "NAS-Bench-ASR (Mehrotra et al. 2021): three main operations, skips from all earlier nodes"
input  audio[time=48, feature=20]
output logits[10]
let C = 24

choice Main(c) =
  | linear  = linear(c) >> relu >> dropout(0.2)
  | conv5   = conv(c, 5) >> relu
  | conv5d2 = conv(c, 5, dilation=2) >> relu
  | conv7   = conv(c, 7) >> relu
  | conv7d2 = conv(c, 7, dilation=2) >> relu
  | zero    = zero

choice Skip = | no = zero | yes = identity

cell Cell(c) {
  input  n[0]
  node   n[j in 1..3] = add(Main(c)(n[j-1]), Skip(n[i]) for i in 0..j-1)
  output n[3]
}
block Norm = layernorm
network =
     conv(C, 8, stride=2)
  >> relu
  >> Norm
  >> Cell(C) * 3
  >> conv(2*C, 3, stride=2)
  >> Norm
  >> Cell(2*C) * 2
  >> global_avgpool >> linear(10)
neighborhood {
  edit op:   any Main
  edit skip: Skip.no <-> Skip.yes
}
