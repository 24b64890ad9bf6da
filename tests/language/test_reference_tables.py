"""The tables of operations and settings are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def test_the_tables_are_current():
    done = subprocess.run(
        [sys.executable, str(FOLDER / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        cwd=FOLDER.parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_operation_has_a_row():
    code = "from nasdsl.operations.table import OPERATIONS; print(*OPERATIONS)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text = (FOLDER / "operations.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == done.stdout.split()


@pytest.mark.parametrize("name", ["operations.md", "settings.md"])
def test_rows_have_as_many_columns_as_their_head(name):
    columns = 0
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        found = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert found == columns or 0 in (found, columns)
        columns = found
