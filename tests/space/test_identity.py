"""Fingerprints without networks are those of the networks."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import nasdsl
from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.graph.fingerprint import fingerprint
from tests.space.programs import examples, programs

HEAD = """
input  image[2, 8, 8]
output logits[3]
choice Edge(c) =
  | none = zero
  | skip = identity
  | c1   = relu >> conv(c, 1, bias=false) >> bn
  | c3   = relu >> conv(c, 3)
  | soft = sigmoid
  | pool = avgpool(3, stride=1) >> (identity + relu)
choice Some(c) =
  | off = zero
  | on  = Edge(c)
"""
CELLS = {
    "sums": """
cell Cell(c) {
  input  n[0]
  node   n[j in 1..3] = sum(Edge(c)(n[i]) for i in 0..j-1)
  output n[3]
}""",
    "products and an unread node": """
cell Cell(c) {
  input  n[0]
  node   n[1] = Edge(c)(n[0])
  node   n[2] = mul(Edge(c)(n[0]), n[1])
  node   n[3] = relu(n[1])
  node   n[4] = mul(n[0], Edge(c)(n[2])) + Edge(c)(n[1])
  output n[4]
}""",
    "decisions behind decisions": """
cell Cell(c) {
  input  n[0]
  node   n[1] = Some(c)(n[0]) + Edge(c)(n[0])
  node   n[2] = Some(c)(n[1])
  output n[1] + n[2]
}""",
}
NETWORK = """
network = conv(2, 3) >> Cell(2) >> Cell(2) >> conv(4, 3, stride=2) >> Cell(4)
    >> bn >> global_avgpool >> linear(3)
"""


@pytest.mark.parametrize("name", CELLS)
def test_fingerprints_of_cells_are_those_of_networks(name: str) -> None:
    space = nasdsl.load(HEAD + CELLS[name] + NETWORK)
    found = 0
    for architecture in space.samples(400, seed=1):
        known = space.identity.of(architecture.decisions)
        assert known in (None, fingerprint(architecture.network, space.operations))
        found += known is not None
    assert found > 300


def test_what_runs_beside_a_cell_keeps_it_from_being_looked_at_alone() -> None:
    space = nasdsl.load(
        HEAD + CELLS["sums"] + "network = conv(2, 3) >> (Cell(2) + identity) >> conv(2, 3)"
        " >> global_avgpool >> linear(3)"
    )
    assert space.identity.of(space[0].decisions) is None
    assert space[0].fingerprint == fingerprint(space[0].network, space.operations)


@examples(45)
@given(programs(), st.integers(0, 2**32))
def test_fingerprints_of_written_spaces_are_those_of_networks(text: str, seed: int) -> None:
    space = analyze(Source("<text>", text)).space
    assume(space is not None)
    assert space is not None
    for architecture in (space[space.draw(seed, i)] for i in range(4)):
        assert architecture.fingerprint == fingerprint(architecture.network, space.operations)
