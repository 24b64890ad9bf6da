"""From a checked tree to a space of architectures."""
