"""From a checked tree to a space of architectures."""

from nasdsl.space.space import Architecture, Blocks, Edits, Goal, Neighbor, Space

__all__ = ["Architecture", "Blocks", "Edits", "Goal", "Neighbor", "Space"]
