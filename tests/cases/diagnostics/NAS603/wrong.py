import nasdsl

nasdsl.run("space.nas", out=".")
