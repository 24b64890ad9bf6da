nasdsl info --classes space.nas
