space autoformer_tiny "AutoFormer-tiny (Chen et al. 2021): every layer decides heads and ratio, depth free"

input  image[3, 224, 224]
output logits[1000]

let dim in 192..240 step 24

block Layer =
     (identity + (layernorm >> attention(heads=h, dim=64*h)))
  >> (identity + (layernorm >> linear(ratio * dim) >> gelu >> linear(dim)))
  where h     in {3, 4}
        ratio in {3.5, 4}

network =
     patch_embed(dim, 16)
  >> class_token
  >> position_embedding
  >> Layer * depth
  >> layernorm
  >> take_token
  >> linear(1000)
  where depth in 12..14
