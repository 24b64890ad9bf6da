input image[1,8,8]
output l[10]
network =	convv(8,3) >> global_avgpool >> linear(10)
