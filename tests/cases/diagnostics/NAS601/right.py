import nasdsl

nasdsl.run("space.nas", out="run", progress="quiet")
