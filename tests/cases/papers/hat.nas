space hat "HAT encoder (Wang et al. 2020): embedding, heads and feed-forward by layer"
input  words int[24]
output logits[4]
let d in {64, 96}
block Layer =
     (identity + (layernorm >> attention(heads=h, dim=d)))
  >> (identity + (layernorm >> linear(f) >> relu >> dropout(0.1) >> linear(d)))
  where h in {2, 4, 8}
        f in {128, 256, 512}
network =
     embedding(1000, d)
  >> position_embedding
  >> Layer * n
  >> layernorm
  >> global_avgpool
  >> linear(4)
  where n in {2, 3, 4}
