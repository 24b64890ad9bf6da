import nasdsl
from nasdsl.compiler.population import compile_population

space = nasdsl.load("space.nas")
other = nasdsl.load("other.nas")
compile_population([space[0].network, other[0].network])
