import nasdsl

nasdsl.run("right_space.nas", out="run", progress="quiet")
