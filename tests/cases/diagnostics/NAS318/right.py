import nasdsl
from nasdsl.graph.plain import to_plain

space = nasdsl.load("space.nas")
space.from_json(to_plain(space[0].network))
