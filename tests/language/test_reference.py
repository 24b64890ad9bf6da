"""The programs of the language reference are sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nasdsl

DOCS = Path(__file__).parents[2] / "docs" / "language.md"
BLOCKS = re.findall(r"```nas( fragment)?\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
HEAD = "input image[3, 8, 8]\noutput logits[10]\n"


@pytest.mark.parametrize("fragment, text", BLOCKS)
def test_the_programs_of_the_reference_are_sound(fragment: str, text: str) -> None:
    program = (HEAD if fragment else "") + text
    found = [d for d in nasdsl.check(program) if d.severity == "error"]
    assert not found, "\n".join(map(str, found))


def test_there_are_programs() -> None:
    assert len(BLOCKS) >= 8
