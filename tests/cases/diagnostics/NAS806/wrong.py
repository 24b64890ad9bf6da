import nasdsl

space = nasdsl.load("wrong_space.nas", allow_python=True)
nasdsl.compile(space[0])
