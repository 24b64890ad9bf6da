nasdsl info space.nas --set widht=16
