import sys

from nasdsl.cli import main

sys.path.insert(0, "broken")
main(["metrics"])
