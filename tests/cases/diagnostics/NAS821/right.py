import nasdsl
from nasdsl.compiler import compile_supernet

space = nasdsl.load("space.nas", {"copies": "3"})
compile_supernet(space, "mixed")
