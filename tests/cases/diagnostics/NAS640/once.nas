input image[1, 8, 8]
output logits[10]

op Once: [C, H, W] -> [C, H, W] params 0 macs 0 = python "layers:Once"

network = Once >> maxpool(4) >> flatten >> linear(10)

data digits
train { steps 2, batch 8 }
objective { maximize accuracy }
search random { samples 1 }
