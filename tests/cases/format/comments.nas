#   the head stays


# two paragraphs
space   comments    "where comments may stand"     # behind a statement
input image [1,8,8]
output logits [10]

  # indented, directly below: belongs to the statement above? no: an empty line stands between
let a=1      # one
let bb=22    # aligned by the author
let ccc=333 # pushes
block A(c) = # behind the sign
  conv(c, 3) # behind a step
  # above a step
  >> bn   >>    # behind an operator
  relu

choice Op(c) =
  # above an alternative
  | one = identity   # behind one
  | other = conv(c,
      3,   # inside a call
      stride=1)
  # | off = zero

network = (identity +
   # deep inside
   A(8)) >> Op(8)
train {
  # above a setting
  epochs 3,   # behind one

  batch 64
  # before the brace
}
# the end
