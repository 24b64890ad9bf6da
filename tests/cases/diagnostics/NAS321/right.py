import nasdsl

space = nasdsl.load("space.nas", {"limit": "8"})
space.sample(0)
