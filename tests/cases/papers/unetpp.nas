space unetpp "nested dense connections (Zhou et al. 2018), each on or off"
input  image[1, 32, 32]
output mask[2, 32, 32]
let on[i in 0..1, j in 0..1] in {false, true}
let c                        in {4, 8, 16}
block Unit(c) = conv(c, 3) >> bn >> relu
network {
  input  x
  node   n[i in 0..2, j in 0..0] =
           (if i == 0 then Unit(c) else maxpool(2) >> Unit(c * 2^i))(
             if i == 0 then x else n[i-1, 0])
  node   n[i in 0..1, j in 1..2-i] =
           Unit(c * 2^i)(
             concat(
               (upsample(2) >> conv(c * 2^i, 1))(n[i+1, j-1]), n[i, k] for k in 0..j-1 if on[i, k]))
  output conv(2, 1)(n[0, 2])
}
