space cfg "a context-free grammar of cells with two nonterminals (Schrodi et al. 2023)"

input  image[3, 16, 16]
output logits[10]

choice Op = | id = identity | conv = conv(cin, 3) >> bn >> relu | pool = avgpool(3, stride=1)
choice Seq recursion 2 = | op = Op | two = Par >> Par
choice Par recursion 2 = | op = Op | two = Seq + Seq

network = conv(8, 3) >> Seq >> global_avgpool >> linear(10)
