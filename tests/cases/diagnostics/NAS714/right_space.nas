input image[1, 8, 8]
output logits[10]

choice Op =
  | skip = identity
  | conv = conv(8, 3)

key "{Op}"

network = conv(8, 3) >> Op >> global_avgpool >> linear(10)

data table("values.csv", key=arch, search=val)
objective { maximize accuracy }
search random { samples 2 }
