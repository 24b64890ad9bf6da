space unicode "é 𝔘 # no comment"   # é 𝔘
block A = bn   # 𝔘𝔘
block BB = bn # x
