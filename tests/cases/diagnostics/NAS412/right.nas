input image[1, 8, 8]
output logits[10]

network = inverted_residual(8, kernel=k, expand=2) >> global_avgpool >> linear(10)
  where k in {3, 5}

objective { maximize accuracy, minimize flatness.weights, minimize params }
search flatnas { samples 2 }
