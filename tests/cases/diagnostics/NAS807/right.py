from pathlib import Path

import nasdsl
from nasdsl.compiler.source import to_source

space = nasdsl.load("space.nas")
Path("network.py").write_text(to_source(space[4].network), encoding="utf-8")
