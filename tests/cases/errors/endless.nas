input image[1,8,8]
output l[10]
let f(x) = f(x) + 1
network = conv(f(3),3) >> global_avgpool >> linear(10)
