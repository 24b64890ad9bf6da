import nasdsl

space = nasdsl.load("space.nas", {"limit": "1k"})
space.sample(0)
