"""Networks filled into what they have in common are those that a walk gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import nasdsl
from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.graph.live import live
from nasdsl.space import Space
from nasdsl.space.building import Builder
from tests.space.programs import examples, programs
from tests.space.test_identity import CELLS, HEAD, NETWORK

ROOT = Path(__file__).resolve().parents[2]


def checked(space: Space, number_of: int) -> int:
    """How many of so many networks the outline gave; all are what is live of what is written."""
    filled = 0
    for k in range(number_of):
        decisions = space[space.draw("outline", k)].decisions
        nodes, result = space.written(decisions)
        network = space.network(decisions)
        assert network == live(nodes, (result,), space.name, space.operations)
        if space._outline is not None:
            builder = Builder(decisions, (), {}, space.operations)
            filled += space._outline.filled(builder) is not None
    return filled


@pytest.mark.parametrize("name", CELLS)
def test_cells_in_one_network(name: str) -> None:
    assert checked(nasdsl.load(HEAD + CELLS[name] + NETWORK), 60) > 10


@pytest.mark.parametrize("name", ["darts", "nasbench101", "nasbench201", "transnas_micro"])
def test_shipped_spaces(name: str) -> None:
    assert checked(nasdsl.load(ROOT / "spaces" / f"{name}.nas"), 10) > 2


def test_where_something_is_decided_outside_cells_there_is_no_outline() -> None:
    text = HEAD + CELLS["sums"] + NETWORK.replace(">> Cell(4)", ">> Some(4) >> Cell(4)")
    space = nasdsl.load(text)
    assert space._outline is None
    checked(space, 5)


def test_a_cell_that_ignores_its_input_leaves_nothing_before_it() -> None:
    text = """
input  image[2, 8, 8]
output logits[3]
choice Edge =
  | none = zero
  | skip = identity
cell Cell(c) {
  input  n[0]
  node   n[1] = bn(Edge(n[0]))
  output n[1]
}
network = conv(2, 3) >> Cell(2) >> Cell(2) >> global_avgpool >> linear(3)
key "{Cell.n[1].Edge}"
"""
    space = nasdsl.load(text)
    sizes = {a.key: len(a.network.nodes) for a in space}
    assert sizes["none"] < sizes["skip"]
    checked(space, 4)


@examples(60)
@given(programs(), st.integers(0, 10**6))
def test_written_spaces(text: str, seed: int) -> None:
    space = analyze(Source("<text>", text)).space
    assume(space is not None)
    assert space is not None
    for k in range(3):
        decisions = space[space.draw(seed, k)].decisions
        nodes, result = space.written(decisions)
        assert space.network(decisions) == live(nodes, (result,), space.name, space.operations)
