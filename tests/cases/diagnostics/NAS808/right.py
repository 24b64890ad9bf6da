import nasdsl
from nasdsl.compiler import compile_supernet, extract
from nasdsl.compiler.export import to_exported

space = nasdsl.load("space.nas")
to_exported(extract(compile_supernet(space, "path"), space[4]))
