nasdsl info --classes space.nas --set N=2
