import nasdsl

space = nasdsl.load("space.nas", allow_python=True)
nasdsl.compile(space[0])
