input image[1, 8, 8]
output logits[10]

choice Down(s) =
  | pool = maxpool(2) when s == 2
  | conv = conv(8, 3, stride=s)

network = conv(8, 3) >> Down(2) >> global_avgpool >> linear(10)
