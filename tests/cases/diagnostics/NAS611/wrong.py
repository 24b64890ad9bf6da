import nasdsl

nasdsl.run("space.nas", device="tpu")
