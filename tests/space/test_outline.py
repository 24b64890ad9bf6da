"""Networks filled into what they have in common are those that a walk gives."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import nasdsl
from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.graph.live import live
from nasdsl.graph.network import Network
from nasdsl.space import Space, fragments, outline
from nasdsl.space.building import Builder
from nasdsl.space.fragments import Fragments
from nasdsl.space.walk import run
from tests.space.programs import examples, programs
from tests.space.test_identity import CELLS, HEAD, NETWORK

ROOT = Path(__file__).resolve().parents[2]


class Walker(Builder):
    """Remembers no cell."""

    def recall(self, *_: Any) -> None:
        """Every cell is walked."""


def walked(space: Space, decisions: Mapping[str, Any]) -> Network:
    """What is live of an architecture whose operations are emitted one by one."""
    handles = [port.name.text for port in space.program.input_ports]
    inputs = zip(handles, space.inputs, strict=True)
    walker = Walker(decisions, inputs, Fragments(space.operations))
    _, result = run(space.step, tuple(handles), walker)
    assert space.written(decisions) == (walker.nodes, result)
    return live(walker.nodes, (result,), space.name, space.operations)


def checked(space: Space, number_of: int) -> int:
    """How many of so many networks the outline gave; all are those of a walk."""
    filled = 0
    for k in range(number_of):
        decisions = space[space.draw("outline", k)].decisions
        network, expected = space.network(decisions), walked(space, decisions)
        assert network == expected
        assert [node.span for node in network.nodes] == [node.span for node in expected.nodes]
        if space._filler is not None:
            filled += space._filler.network(decisions) is not None
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
    assert space._filler is None
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


UNLIKE = {
    "zeros end at a bias": """
cell Cell(c) {
  input  n[0]
  node   n[1] = Edge(c)(n[0])
  node   n[2] = conv(c, 1, bias=c > 2)(n[1])
  output n[2] + Edge(c)(n[0])
}""",
    "another decision gives the same type": """
choice Wide(c) =
  | two  = conv(2, 1)
  | four = conv(4, 1)
  | same = conv(c, 3)
cell Cell(c) {
  input  n[0]
  node   n[1] = Wide(c)(n[0])
  output conv(c, 1)(n[1])
}""",
}


@pytest.mark.parametrize("name", UNLIKE)
def test_uses_that_differ_in_more_than_sizes_are_filled_in_each_for_itself(name: str) -> None:
    space = nasdsl.load(HEAD + UNLIKE[name] + NETWORK)
    for architecture in space:
        assert architecture.network == walked(space, architecture.decisions)
    assert space._filler is not None
    assert len(space._filler._shapes) == 2


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_uses_that_differ_in_sizes_alone_are_worked_out_once(name: str) -> None:
    space = nasdsl.load(ROOT / "spaces" / f"{name}.nas")
    assert space._filler is not None
    assert len(space._filler._shapes) == 1


@pytest.mark.parametrize("outside", [False, True])
def test_what_is_forgotten_is_made_again(outside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "KEPT", 7)
    monkeypatch.setattr(fragments, "KEPT_NODES", 50)
    monkeypatch.setattr(outline, "KEPT", 2)
    network = NETWORK.replace(">> Cell(4)", ">> Edge(4) >> Cell(4)") if outside else NETWORK
    space = nasdsl.load(HEAD + CELLS["sums"] + network)
    most = max(len(a.network.nodes) for a in space.samples(100))
    for architecture in space.samples(100, seed=1):
        assert architecture.network == walked(space, architecture.decisions)
        kept = space._fragments
        assert len(kept._known) <= 7
        assert sum(map(len, kept._spots.values())) <= kept.nodes <= 50 + most


def test_networks_share_the_nodes_that_they_have_in_common() -> None:
    space = nasdsl.load(HEAD + CELLS["sums"] + NETWORK)
    networks = [architecture.network for architecture in space.samples(100)]
    nodes = [node for network in networks for node in network.nodes]
    alike = {(node.id, node.op, node.inputs) for node in nodes}
    assert len({id(node) for node in nodes}) <= 1.2 * len(alike) < 0.3 * len(nodes)


def test_a_copy_of_a_space_gives_the_same_networks() -> None:
    space = nasdsl.load(HEAD + CELLS["sums"] + NETWORK)
    drawn = space.samples(40)
    expected = {a.rank: a.network for a in drawn[:20]}
    other = copy.deepcopy(space)
    for a in drawn:
        found = other[a.rank].network
        assert found == expected.get(a.rank, a.network)
        assert found is not a.network


@examples(60)
@given(programs(), st.integers(0, 10**6))
def test_written_spaces(text: str, seed: int) -> None:
    space = analyze(Source("<text>", text)).space
    assume(space is not None)
    assert space is not None
    for k in range(3):
        decisions = space[space.draw(seed, k)].decisions
        assert space.network(decisions) == walked(space, decisions)
