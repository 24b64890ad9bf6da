import nasdsl

space = nasdsl.load("space.nas", {"limit": "0.1k"})
space.sample(0)
