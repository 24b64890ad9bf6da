space transnas_micro "TransNAS-Bench-101, the cell space (Duan et al. 2021): 4^6 cells"

input  image[3, 64, 64]
output logits[75]

let C = 16

block ReluConvBn(c, k, stride = 1) = relu >> conv(c, k, stride=stride, bias=false) >> bn

choice Edge(c) =
  | none    = zero
  | skip    = identity
  | conv1x1 = ReluConvBn(c, 1)
  | conv3x3 = ReluConvBn(c, 3)

cell Cell(c) {
  input  n[0]
  node   n[j in 1..3] = sum(Edge(c)(n[i]) for i in 0..j-1)
  output n[3]
}

# A stage halves the image and doubles the channels where it says so, then refines by a cell.
block Stage(c, stride) = ReluConvBn(c, 3, stride) >> Cell(c)

network =
     conv(C, 3, stride=2, bias=false) >> bn
  >> Stage(C, 1) >> Stage(2*C, 2) >> Stage(2*C, 1) >> Stage(4*C, 2) >> Stage(4*C, 1)
  >> bn >> relu >> global_avgpool >> linear(75)

neighborhood {
  edit swap: any Edge
}
