nasdsl info spaces.nas
