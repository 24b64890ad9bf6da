"""Edit rules and the neighborhoods they span."""

from nasdsl.neighborhood.neighborhood import Neighbor, Neighborhood
from nasdsl.neighborhood.reading import compile_rules

__all__ = ["Neighbor", "Neighborhood", "compile_rules"]
