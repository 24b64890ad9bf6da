space neighborhood_search "NAS-Bench-201 reduced to one narrow cell a stage: its 5^6 decisions"

input  image[3, 32, 32]
output logits[10]

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

network = conv(4, 3, bias=false) >> Cell(4) >> global_avgpool >> linear(10)

key "|{n[1].0}~0|+|{n[2].0}~0|{n[2].1}~1|+|{n[3].0}~0|{n[3].1}~1|{n[3].2}~2|"

neighborhood {
  edit swap: any Edge
}

search surrogate { samples 300 }
objective { maximize accuracy }
