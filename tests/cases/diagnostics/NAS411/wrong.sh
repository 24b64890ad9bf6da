nasdsl info wrong_space.nas
