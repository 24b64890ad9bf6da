import nasdsl

space = nasdsl.load("space.nas", {"limit": "3"})
space.sample(0)
