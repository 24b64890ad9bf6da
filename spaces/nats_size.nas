space nats_size "NATS-Bench, the size space (Dong et al. 2021): five widths of eight values, 8^5"

input  image[3, 32, 32]
output logits[10]

let w[i in 1..5] in 8..64 step 8

block ReluConvBn(c, k, stride = 1) = relu >> conv(c, k, stride=stride, bias=false) >> bn

# A skip between different widths is a convolution, as the benchmark's own is.
block Skip(c) = if cin == c then identity else conv(c, 1, bias=false) >> bn

# The cell is fixed: 3x3 convolutions on the edges of four nodes, a skip from the first to the last.
cell Cell(c) {
  input  n[0]
  node   n[1] = ReluConvBn(c, 3)(n[0])
  node   n[2] = ReluConvBn(c, 3)(n[0]) + ReluConvBn(c, 3)(n[1])
  node   n[3] = Skip(c)(n[0]) + ReluConvBn(c, 3)(n[1]) + ReluConvBn(c, 3)(n[2])
  output n[3]
}

block Reduce(c) =
    (ReluConvBn(c, 3, 2) >> ReluConvBn(c, 3))
  + (avgpool(2, stride=2) >> conv(c, 1, bias=false))

network =
     conv(w[1], 3, bias=false) >> bn
  >> Cell(w[1]) >> Reduce(w[2])
  >> Cell(w[3]) >> Reduce(w[4])
  >> Cell(w[5])
  >> bn >> relu >> global_avgpool >> linear(10)

neighborhood {
  edit resize: step w
}
