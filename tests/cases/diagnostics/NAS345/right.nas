input image[1, 8, 8]
output logits[10]

choice Op(c) =
  | skip = identity
  | conv = conv(c, 3)

choice Join =
  | skip = identity
  | pool = avgpool(3, stride=1)

network = conv(8, 3) >> Op(8) >> Join >> global_avgpool >> linear(10)

neighborhood {
  edit cut: conv -> Op.skip
}
