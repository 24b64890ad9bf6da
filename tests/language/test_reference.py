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


def test_ranks_go_by_lets_values_of_the_network_cells_and_the_network() -> None:
    space = nasdsl.load(
        HEAD
        + """
choice Op(c) = | skip = identity | conv = conv(c, 3)
cell Cell(c) {
  input  n[0]
  node   n[1] = Op(c)(n[0])
  output n[1]
}
let w in {4, 8}
network = conv(w, k) >> Op(w) >> Cell(w) >> global_avgpool >> linear(10)
  where k in {1, 3}
"""
    )
    first = space[0].decisions
    changed = [{n for n, v in space[2**i].decisions.items() if v != first[n]} for i in range(4)]
    assert changed == [{"Op"}, {"Cell.n[1].Op"}, {"k"}, {"w"}]
