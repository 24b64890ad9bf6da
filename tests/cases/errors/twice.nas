# A set is no list: equal members count once.
input  x[16]
output y[16]

let widths = {16, 8, 16}

network = linear(widths[0]) >> linear(widths[2])
