import nasdsl
from nasdsl.compiler import compile_supernet

space = nasdsl.load("space.nas")
other = nasdsl.load("other.nas")
compile_supernet(space, "path").set_path(other[0])
