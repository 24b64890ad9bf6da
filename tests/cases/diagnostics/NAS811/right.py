import nasdsl
from nasdsl.compiler.population import compile_population

space = nasdsl.load("space.nas")
compile_population([space[0], space[4]])
