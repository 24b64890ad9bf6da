import nasdsl

nasdsl.run("space.nas", workers=1, out="run", progress="quiet")
