# The first space: small convolutional networks for 8x8 images of handwritten digits.
#   nasdsl run examples/quickstart.nas

space digits_tiny "a first space: 4,032 architectures before the constraint"

input  image[1, 8, 8]
output logits[10]

block ConvBnRelu(c, k) = conv(c, k, bias=false) >> bn >> relu

choice Op(c) =
  | skip    = identity
  | conv3x3 = ConvBnRelu(c, 3)
  | conv5x5 = ConvBnRelu(c, 5)
  | pool    = avgpool(3, stride=1)

network =
     ConvBnRelu(width, 3)
  >> Op(width) * 2                 # two copies, each choosing for itself
  >> maxpool(2)
  >> (identity + Op(width)) * depth
  >> global_avgpool >> linear(10)
  where width in {8, 16, 32}
        depth in 1..3

require params <= 60k

neighborhood {
  edit conv_to_skip: conv3x3 -> skip
  edit shrink:       conv5x5 -> conv3x3
  edit resize:       step width
  edit deepen:       step depth
}

data      digits
train {
  epochs 12,
  batch 64,
  sgd(lr=0.1, momentum=0.9, weight_decay=5e-4),
  cosine,
  sam(rho=0.05)
}
objective { maximize accuracy, maximize flatness.neighborhood(samples=6), minimize params }
search    na_random { samples 24, seed 0 }
