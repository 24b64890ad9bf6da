"""A small space in a file, and calls of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nasdsl.cli import main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """What a call printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """One object a line of standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        """The only object."""
        (only,) = self.records
        return only

    @property
    def codes(self) -> list[str]:
        """The codes of the diagnostics of a call with ``--json``."""
        text = self.err or self.out
        return [d["code"] for d in json.loads(text)["diagnostics"]]


Call = Callable[..., Answer]


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Calls the command line in this process."""

    def run(*arguments: str | Path) -> Answer:
        code = main([str(a) for a in arguments])
        out, err = capfdbinary.readouterr()
        return Answer(code, out.decode(), err.decode())

    return run


@pytest.fixture(scope="session")
def quickstart() -> Path:
    """The first file: 4,032 architectures, 3 * 4^2 * (4 + 4^2 + 4^3)."""
    return ROOT / "examples" / "quickstart.nas"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """18 architectures, 3 * 3 * 2, that train in a moment; 3 of them do not meet the constraint."""
    path = tmp_path / "small.nas"
    path.write_text(
        """space small "eighteen"

input  image[1, 8, 8]
output logits[10]

choice Op(c) =
  | skip = identity
  | conv = conv(c, 3)
  | pool = avgpool(3, stride=1)

network =
     conv(width, 3) >> relu >> Op(width) >> maxpool(2)
  >> (identity + conv(width, 1)) * depth
  >> global_avgpool >> linear(10)
  where width in {2, 4, 8}
        depth in 1..2

require params <= 700

neighborhood {
  edit swap:   any Op
  edit resize: step width
}

data      digits
train     { epochs 1, batch 64, sgd(lr=0.1) }
objective { maximize accuracy, minimize params }
search    random { samples 3, seed 0 }
"""
    )
    return path


def wide(text: str) -> list[str]:
    """Lines that do not fit a terminal of 80 columns."""
    return [line for line in text.splitlines() if len(line) > 80]
