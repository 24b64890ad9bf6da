import nasdsl
from nasdsl.compiler import compile_supernet

space = nasdsl.load("wrong_space.nas")
compile_supernet(space, "elastic")
