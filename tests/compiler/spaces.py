"""Small spaces that hold every kind of decision."""

from __future__ import annotations

import functools

import nasdsl

HEAD = """
input  image[3, 8, 8]
output logits[4]
block ConvBn(c, k) = conv(c, k, bias=false) >> bn >> relu
neighborhood { edit other: any Op }
"""

TEXTS = {
    "choices": """
space choices
choice Op(c) = | skip = identity | none = zero | conv = ConvBn(c, 3) | pool = maxpool(3, stride=1)
network = ConvBn(4, 3) >> Op(4) * 2 >> (identity + Op(4)) >> global_avgpool >> linear(4)
""",
    "cell": """
space cell
choice Op(c) = | skip = identity | none = zero | conv = ConvBn(c, 1) | pool = avgpool(3, stride=1)
cell Cell(c) {
  input n[0]
  node n[j in 1..2] = sum(Op(c)(n[i]) for i in 0..j-1)
  output n[2]
}
network = ConvBn(4, 3) >> Cell(4) * 2 >> ConvBn(6, 1) >> Cell(6) >> global_avgpool >> linear(4)
""",
    "picks": """
space picks
choice Op(c) = | skip = identity | conv = ConvBn(c, 3) | pool = maxpool(3, stride=1)
cell Cell(c) {
  input n[0], n[1]
  node n[j in 2..4] = sum(Op(c)(n[i]) for i in pick 2 of 0..j-1)
  output concat(n[2..4])
}
network {
  input image
  node s[0] = ConvBn(4, 3)(image)
  node s[1] = ConvBn(4, 1)(s[0])
  node s[2] = ConvBn(4, 1)(Cell(4)(s[0], s[1]))
  output (global_avgpool >> linear(4))(Cell(4)(s[1], s[2]))
}
""",
    "sizes": """
space sizes
choice Op(c) = | conv = ConvBn(c, k) | thin = ConvBn(max(2, c // 2), 1) >> ConvBn(c, k)
  where k in {1, 3, 5}
network = ConvBn(width, 3) >> Op(width) * depth >> global_avgpool >> linear(4)
  where width in {4, 6, 8}
        depth in 1..3
""",
    "mobile": """
space mobile
choice Op(c) = | layer = identity
block Layer(c, s) = inverted_residual(c, kernel=k, expand=e, stride=s, se=true, act=hswish)
  where k in {3, 5, 7}
        e in {2, 3, 4}
block Stage(c) = Layer(c, 2) >> Layer(c, 1) * (depth - 1) where depth in {1, 2, 3}
network = ConvBn(8, 3) >> Stage(8) >> Op(8) >> Stage(12) >> global_avgpool
  >> linear(hidden) >> relu >> linear(4)
  where hidden in {8, 16}
""",
}


@functools.cache
def space(name: str) -> nasdsl.Space:
    """One of the spaces by name."""
    first, _, rest = TEXTS[name].strip().partition("\n")
    return nasdsl.load(f"{first}\n{HEAD}\n{rest}\n")
