space nasbench101 "NAS-Bench-101 (Ying et al. 2019): cells of up to 7 vertices and 9 edges"

input  image[3, 32, 32]
output logits[10]

let V = 7           # vertices of a cell: the input, V - 2 operations, the output
let C = 128         # channels of the first stack

block ConvBnRelu(c, k) = conv(c, k, bias=false) >> bn >> relu

choice Op(c) =
  | conv3x3    = ConvBnRelu(c, 3)
  | conv1x1    = ConvBnRelu(c, 1)
  | maxpool3x3 = maxpool(3, stride=1)

# Any vertex may read any earlier one. Every vertex has the channels of its cell and inputs are
# summed; the benchmark's own networks divide channels among the inputs of the output instead.
cell Cell(c) {
  let P[j in 1..V-1] = some of 0..j-1
  let o[j in 1..V-2] in Op
  input  v[0]
  node   v[j in 1..V-2] = o[j](c)(sum(v[i] for i in P[j]))
  output sum(v[i] for i in P[V-1])
}

network =
     ConvBnRelu(C, 3)
  >> Cell(C) * 3 >> maxpool(2)
  >> ConvBnRelu(2*C, 1) >> Cell(2*C) * 3 >> maxpool(2)
  >> ConvBnRelu(4*C, 1) >> Cell(4*C) * 3
  >> global_avgpool >> linear(10)

require edges(Cell) <= 9

neighborhood {
  edit swap:   any o
  edit toggle: flip P of Cell
}
