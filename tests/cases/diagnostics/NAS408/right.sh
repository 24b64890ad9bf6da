nasdsl info space.nas --set width=16
