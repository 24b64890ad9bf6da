input image[1,8,8]
output l[10]
choice A = | x = A >> A | y = relu
network = A >> global_avgpool >> linear(10)
