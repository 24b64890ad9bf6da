"""The compiler's benchmarks run with little installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BARE = """
import runpy, sys

for name in ("scipy", "sklearn", "psutil", "safetensors", "moocore", "PIL"):
    sys.modules[name] = None
sys.argv = ["gpu", "--device", "cpu", "--quick"]
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""


@pytest.mark.slow
def test_all_parts_run_with_the_few_libraries_of_a_cuda_machine() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[0])
    parts = list(dict.fromkeys(row[0] for row in found["rows"]))
    assert parts == ["build", "step", "graph", "population", "noise", "neighborhood"]
    assert "beyond the time limit" not in done.stdout
