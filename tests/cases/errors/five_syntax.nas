space x
input image[1, 8, 8
output logits[10]
let a = 3x
block F(c) = conv(c, 3) >>
choice Op(c) =
  | a = conv(c 3)
netwrok = F(3)
train { epochs 12 batch 3 }
