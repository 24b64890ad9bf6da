import sys

from nasdsl.cli import main

sys.modules["pygls"] = None  # as where it is not installed
main(["lsp"])
