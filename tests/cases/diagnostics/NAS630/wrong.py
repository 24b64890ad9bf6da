import nasdsl

nasdsl.run("wrong_space.nas", out="run", progress="quiet")
