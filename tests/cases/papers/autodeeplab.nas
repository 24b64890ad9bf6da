space autodeeplab "Auto-DeepLab (Liu et al. 2019): a path through the trellis of resolutions, a cell shared"
input  image[3, 64, 64]
output mask[5, 64, 64]
let L = 6
# log2 of the stride beyond 4, which changes by one at most
let s[i in 1..L] in (if i == 1 then 0..1 else max(0, s[i-1] - 1)..min(3, s[i-1] + 1))
let before(i) = if i == 1 then 0 else s[i-1]
let F = 4
block Move(i) =
  if s[i] > before(i) then conv(F * 2^s[i], 3, stride=2) >> bn
  else if s[i] < before(i) then upsample(2) >> conv(F * 2^s[i], 1) >> bn
  else identity
choice Op(c) =
  | sep3 = relu >> separable(c, 3, bias=false) >> bn
  | sep5 = relu >> separable(c, 5, bias=false) >> bn
  | skip = identity
  | none = zero
cell Cell(c) {
  input  x[0]
  node   x[j in 1..2] = sum(Op(c)(x[i]) for i in 0..j-1)
  output x[1] + x[2]
}
network =
     conv(F, 3, stride=2) >> conv(F, 3, stride=2)
  >> chain(Move(i) >> Cell(F * 2^s[i]) for i in 1..L)
  >> upsample(2^(s[L] + 2)) >> conv(5, 1)
