space na_darts "NAS-Bench-201 reduced: 4 channels, one cell a stage, a stem of stride 2"

input  image[3, 32, 32]
output logits[10]

let C = 4           # channels of the first stage; 16 in the benchmark
let N = 1           # cells in a stage; 5 in the benchmark

block ReluConvBn(c, k, stride = 1) = relu >> conv(c, k, stride=stride, bias=false) >> bn

choice Edge(c) =
  | none         = zero
  | skip_connect = identity
  | nor_conv_1x1 = ReluConvBn(c, 1)
  | nor_conv_3x3 = ReluConvBn(c, 3)
  | avg_pool_3x3 = avgpool(3, stride=1)

cell Cell(c) {
  input  n[0]
  node   n[j in 1..3] = sum(Edge(c)(n[i]) for i in 0..j-1)
  output n[3]
}

block Reduce(c) =
    (ReluConvBn(c, 3, 2) >> ReluConvBn(c, 3))
  + (avgpool(2, stride=2) >> conv(c, 1, bias=false))

network =
     conv(C, 3, stride=2, bias=false) >> bn   # stride 1 in the benchmark
  >> Cell(C) * N   >> Reduce(2*C)
  >> Cell(2*C) * N >> Reduce(4*C)
  >> Cell(4*C) * N
  >> bn >> relu >> global_avgpool >> linear(10)

key "|{n[1].0}~0|+|{n[2].0}~0|{n[2].1}~1|+|{n[3].0}~0|{n[3].1}~1|{n[3].2}~2|"

neighborhood {
  edit swap: any Edge
}
