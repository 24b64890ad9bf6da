space textcnn "TextCNN (Kim 2014): windows of several sizes, max over time"
input  words int[20]
output logits[2]
let n in 1..4
let sizes = pick n of {2, 3, 4, 5}
let filters in {8, 16, 32}
network =
     embedding(500, 16)
  >> concat(conv(filters, k) >> relu >> global_maxpool for k in sizes)
  >> maybe(dropout(0.5))
  >> linear(2)
