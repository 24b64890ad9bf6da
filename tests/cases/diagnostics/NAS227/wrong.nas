input image[1, 8, 8]
output logits[10]

choice Width =
  | thin = conv(4, 3)
  | wide = conv(8, 3)

network = optional(Width) >> global_avgpool >> linear(10)
