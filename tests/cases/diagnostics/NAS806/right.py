import nasdsl

space = nasdsl.load("right_space.nas", allow_python=True)
nasdsl.compile(space[0])
