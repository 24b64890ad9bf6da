# A text as a value, also as a word of an operation.
# fits
input image[2, 6, 6]
output logits[3]
let act in {"relu", "hswish"}
network = conv(2, 1) >> (if act == "relu" then relu else hswish) >> inverted_residual(2, expand=2, act=act) >> global_avgpool >> linear(3)
