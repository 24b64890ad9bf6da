block Stem(c) = conv(c, 3) >> relu
