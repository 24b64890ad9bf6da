# True is no 1, neither as a value nor as an argument.
# fits
input image[2, 6, 6]
output logits[3]
block B(b) = conv(2, 1, bias=b) >> C(if b then 1 else true)
block C(t) = if t == true then relu else conv(4, 1)
network = B(b) >> global_avgpool >> linear(3)
  where b in {true, false}
