nasdsl info space.nas
