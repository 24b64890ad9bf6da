import nasdsl

nasdsl.run("space.nas", device="cpu", out="run", progress="quiet")
