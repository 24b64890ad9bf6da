input image[1,8,8]
output l[10]
network = conv(8,3) * 10000000000000 >> global_avgpool >> linear(10)
