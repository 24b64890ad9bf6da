import nasdsl
from nasdsl.compiler import compile_supernet
from nasdsl.compiler.export import to_exported

space = nasdsl.load("space.nas")
to_exported(compile_supernet(space, "mixed"))
