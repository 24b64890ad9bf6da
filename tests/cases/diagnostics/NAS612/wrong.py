import nasdsl

nasdsl.run("space.nas", workers=0)
