space unet "an encoder-decoder (Ronneberger et al. 2015) with long connections on or off"
input  image[1, 32, 32]
output mask[2, 32, 32]
let base                 in {4, 8, 12}
let use_skip[i in 0..2]  in {false, true}
let attention[i in 0..2] in {false, true}
choice K(c) = | k3 = conv(c, 3) | k5 = conv(c, 5) | dil = conv(c, 3, dilation=2)
block Unit(c) = K(c) >> bn >> relu
network {
  input  x
  node   e[0] = Unit(base)(x)
  node   e[i in 1..3] = (maxpool(2) >> Unit(base * 2^i))(e[i-1])
  node   u[i in 0..2] = conv_transpose(base * 2^i, 2)(d[i+1])
  node   d[3] = e[3]
  node   d[i in 0..2] =
           Unit(base * 2^i)(
             if use_skip[i] then concat(
                 u[i], (if attention[i] then squeeze_excite else identity)(e[i]))
             else u[i])
  output conv(2, 1)(d[0])
}
