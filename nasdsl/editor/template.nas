# A search space and its search. Check it with   nasdsl check FILE
# see how large it is with                       nasdsl info FILE
# and run the search with                        nasdsl run FILE

space my_space "what is searched, in a sentence"

# What comes in and what must come out, without the batch: [channels, height, width], [time,
# features] or [features]. The digits below are grey images of 8x8 in ten classes.
input  image[1, 8, 8]
output logits[10]

# A block is a template. Only output sizes are written; input sizes follow from the graph.
block ConvBnRelu(c, k) = conv(c, k, bias=false) >> bn >> relu

# A choice decides between alternatives, afresh wherever it is used.
choice Op(c) =
  | skip    = identity
  | conv3x3 = ConvBnRelu(c, 3)
  | conv5x5 = ConvBnRelu(c, 5)
  | pool    = avgpool(3, stride=1)

# a >> b is one after the other, a + b adds, a ++ b joins channels, a * n makes n copies. Values
# chosen under 'network' are chosen once for the whole space.
network =
     ConvBnRelu(width, 3)
  >> (identity + Op(width)) * depth
  >> maxpool(2)
  >> Op(2*width) >> conv(2*width, 1)
  >> global_avgpool >> linear(10)
  where width in {8, 16}
        depth in 1..3

# What every architecture must meet. It is worked out without training.
require params <= 20k

# Which architectures are near each other: what a flat neighborhood means.
neighborhood {
  edit swap:   any Op
  edit resize: step width
  edit deepen: step depth
}

# Which data, how a network is trained, what is wanted, and how to look for it.
data      digits
train     { epochs 12, sgd(lr=0.1, momentum=0.9, weight_decay=5e-4), cosine, clip 1 }
objective { maximize accuracy, minimize params }
search    random { samples 20, seed 0 }
