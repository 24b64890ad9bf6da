# A network with braces that does not name its inputs.
input  x[16]
input  h[16]
output y[16]

network {
  node   a = linear(16)(x)
  output a
}
