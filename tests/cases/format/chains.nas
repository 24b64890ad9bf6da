network =
     stem(16) >> bn >>
     Cell(C) * N >> Reduce(2*C)
     >> Cell(2*C) * N >> Reduce(4*C)

     >> Cell(4*C) * N
  >> bn >> relu
  where width in {8, 16, 32}
    d in 1..3
    half = width // 2

block Reduce(c) = (A(c, 3, 2) >> A(c, 3))
  + (avgpool(2, stride=2) >> conv(c, 1,
        bias=false))

block Residual(c) = identity + (conv(c, 3) >>
  bn >> relu)

block Short(c) =
  conv(c, 3)
    where c in {1}
