"""Programs held to the reference: hand-written ones for each meaning, and random ones.

A longer run: ``NASDSL_PROGRAMS=10000 pytest tests/space/test_programs.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from nasdsl.space import late
from tests.space.comparison import compare
from tests.space.programs import examples, programs

CASES = Path(__file__).parents[1] / "cases" / "shapes"
PROGRAMS = examples(120)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.nas")), ids=lambda p: p.stem)
@pytest.mark.parametrize("eager", [late.EAGER, 0])
def test_written_program(path: Path, eager: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "EAGER", eager)
    text = path.read_text(encoding="utf-8")
    expected = text.splitlines()[1].removeprefix("# ")
    assert compare(text) == expected


@PROGRAMS
@given(programs())
def test_random_programs(text: str) -> None:
    compare(text)


@PROGRAMS
@given(programs())
def test_random_programs_decided_late(text: str) -> None:
    """Declarations of any size are decided late, as only large ones are otherwise."""
    before, late.EAGER = late.EAGER, 0
    try:
        compare(text)
    finally:
        late.EAGER = before
