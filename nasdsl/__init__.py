"""nasdsl: a declarative language and compiler for neural architecture search."""
