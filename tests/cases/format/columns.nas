nas 1
space columns
input image[1, 8, 8]
output logits[10]
let dim in {1, 2}
let depth in 1..3
let n = 2
let other in {1}

data digits
train {epochs 1}
# still one group
objective {maximize accuracy}
best maximize accuracy

search random {samples 3}
report {
  retrain }

cell C(c) { input a, b
  node   n [0] = f(a)

  node m[i in 1..2]=g(n[0])
  output m [2] }
neighborhood {
  edit a: any Op

  edit longer: step width
}
