import nasdsl

nasdsl.load("right_space.nas")
