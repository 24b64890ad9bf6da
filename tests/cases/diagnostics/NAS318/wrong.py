import nasdsl
from nasdsl.graph.plain import to_plain

space = nasdsl.load("space.nas")
other = nasdsl.load("other.nas")
space.from_json(to_plain(other[0].network))
