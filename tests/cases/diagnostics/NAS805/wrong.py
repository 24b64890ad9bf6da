import nasdsl

space = nasdsl.load("space.nas")
nasdsl.compile(space[0])
