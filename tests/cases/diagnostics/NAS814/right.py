import nasdsl
from nasdsl.compiler import compile_supernet

space = nasdsl.load("right_space.nas")
compile_supernet(space, "elastic")
