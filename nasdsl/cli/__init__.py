"""The command line: arguments, one call, rendering; no logic of its own."""

from nasdsl.cli.program import main

__all__ = ["main"]
