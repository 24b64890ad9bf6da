"""From a checked tree to a space of architectures."""

from nasdsl.space.architecture import Architecture
from nasdsl.space.blocks import Blocks, Goal
from nasdsl.space.edits import Edits, Neighbor
from nasdsl.space.space import Space

__all__ = ["Architecture", "Blocks", "Edits", "Goal", "Neighbor", "Space"]
