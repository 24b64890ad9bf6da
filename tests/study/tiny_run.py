"""One small search with real training, and the command that runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEXT = """# a comment that must survive
space tiny "small networks"
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | skip = identity
  | pool = avgpool(3, stride=1)
  | conv = conv(c, 3, bias=false) >> bn >> relu
network = conv(width, 3, bias=false) >> bn >> relu >> Op(width) * 2
    >> maxpool(2) >> Op(width) >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
neighborhood {
  edit swap: any Op
  edit resize: step width
}
data digits(train=100, validation=100)
train { epochs 2, batch 25, sgd(lr=0.2) }
objective { maximize accuracy, maximize flatness.neighborhood(samples=2), minimize params }
search na_random { samples 4, seed 3 }
"""


def nasdsl_run(*args: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nasdsl", "run", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )
