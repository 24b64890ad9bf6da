input image[1, 8, 8]
output logits[10]
network = conv(8, 3) >> global_avgpool >> linear(10)
train { epochs 0, sgd(lr=-1), adamw, momentun 3 }
objective { maximize acuracy }
search randon { samples 3 }
