import nasdsl
from nasdsl.compiler import compile_supernet

space = nasdsl.load("space.nas")
compile_supernet(space, "path")
