nasdsl info right_space.nas
