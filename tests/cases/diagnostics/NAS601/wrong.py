import nasdsl

nasdsl.run("space.nas", out="space.nas/run")
