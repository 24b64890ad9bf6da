"""Every kind of edit against what it should give, worked out by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import nasdsl
from nasdsl.neighborhood import Neighborhood
from nasdsl.neighborhood.path import shortest_path

HEAD = """
input image[1, 8, 8]
output logits[10]
block Unit(c, k) = conv(c, k, bias=false) >> bn >> relu
choice Op(c) = | skip = identity | small = Unit(c, 3) | large = Unit(c, 5)
"""
CHAIN = (
    HEAD
    + """
network = Unit(width, 3) >> Op(width) * depth >> global_avgpool >> linear(10)
  where width in {8, 16, 32}
        depth in 1..3
"""
)
CELL = (
    HEAD
    + """
cell Cell(c) {
  let P = some of 0..1
  input  n[0]
  node   n[1] = Op(c)(n[0])
  node   mixed = sum(Op(c)(n[i]) for i in pick 1 of 0..1)
  node   end = sum(n[i] for i in P) + mixed
  output end
}
network = conv(8, 3) >> Cell(8) >> global_avgpool >> linear(10)
"""
)


def space(text: str, edits: str) -> nasdsl.Space:
    return nasdsl.load(f"{text}neighborhood {{ {edits} }}\n")


def near(text: str, edits: str, **decisions: Any) -> set[tuple[tuple[str, Any], ...]]:
    """The decisions of each neighbor of an architecture of the chain."""
    s = space(text, edits)
    named = {n.replace("_", "[") + "]" if "_" in n else n: v for n, v in decisions.items()}
    found = s.neighbors(s.architecture(named))
    assert len({n.rank for n in found}) == len(found)
    return {tuple((n.decisions or {}).items()) for n in found}


def chain(width: int, *ops: str) -> tuple[tuple[str, Any], ...]:
    copies = tuple((f"Op[{i}]", op) for i, op in enumerate(ops))
    return (("width", width), ("depth", len(ops)), *copies)


CENTER = {"width": 16, "depth": 2, "Op_0": "small", "Op_1": "skip"}


@pytest.mark.parametrize(
    "edits, expected",
    [
        (
            "edit a: any Op",
            [
                chain(16, "skip", "skip"),
                chain(16, "large", "skip"),
                chain(16, "small", "small"),
                chain(16, "small", "large"),
            ],
        ),
        ("edit a: small -> large", [chain(16, "large", "skip")]),
        (
            "edit a: skip <-> large",
            [chain(16, "small", "large")],
        ),
        (
            "edit a: small | skip -> large",
            [chain(16, "large", "skip"), chain(16, "small", "large")],
        ),
        ("edit a: step width", [chain(8, "small", "skip"), chain(32, "small", "skip")]),
        ("edit a: step width by 1", [chain(32, "small", "skip")]),
        ("edit a: step width by 2", []),
        (
            "edit a: step depth",
            [chain(16, "small"), chain(16, "small", "skip", "skip")],
        ),
        ("edit a: step width by 1 then step depth by -1", [chain(32, "small")]),
        (
            "edit a: insert Op",
            [
                chain(16, "small", "small", "skip"),
                chain(16, "small", "skip", "skip"),
            ],
        ),
        ("edit a: remove Op", [chain(16, "skip"), chain(16, "small")]),
        (
            "edit a: any Op where count(skip) == 0",
            [chain(16, "small", "small"), chain(16, "small", "large")],
        ),
        ("edit a: any Op where params <= 1000", [chain(16, "skip", "skip")]),
    ],
)
def test_what_an_edit_gives(edits: str, expected: list[Any]) -> None:
    assert near(CHAIN, edits, **CENTER) == set(expected)


def test_without_a_neighborhood_any_change_of_one_decision_is_an_edit() -> None:
    s = nasdsl.load(CHAIN)
    center = s.architecture({"width": 8, "depth": 1, "Op[0]": "skip"})
    found = {tuple((n.decisions or {}).items()) for n in s.neighbors(center)}
    assert found == {
        chain(16, "skip"),
        chain(32, "skip"),
        chain(8, "skip", "skip"),
        chain(8, "skip", "skip", "skip"),
        chain(8, "small"),
        chain(8, "large"),
    }


def test_neighbors_are_feasible() -> None:
    text = CHAIN + "require params <= 1000\n"
    s = space(text, "edit a: any Op  edit b: step width")
    center = s.architecture({"width": 16, "depth": 1, "Op[0]": "skip"})
    assert all(
        n.architecture is not None and n.architecture.params <= 1000 for n in s.neighbors(center)
    )
    assert {n.decisions["width"] for n in s.neighbors(center) if n.decisions} == {8, 32}


def test_picked_inputs_members_and_places() -> None:
    s = space(CELL, "edit rewire: any inputs of Cell  edit toggle: flip P  edit first: any Op at n")
    center = s[0]
    assert center.decisions["Cell.P"] == ()
    by_edit: dict[str, list[Any]] = {}
    for neighbor in s.neighbors(center):
        by_edit.setdefault(neighbor.edit, []).append(neighbor.changed)
    assert by_edit["rewire"] == [({"decision": "Cell.mixed.inputs", "from": [0], "to": [1]},)]
    assert [c[0]["to"] for c in by_edit["toggle"]] == [[0], [1]]
    assert {c[0]["decision"] for c in by_edit["first"]} == {"Cell.n[1].Op"}


def test_a_ball_holds_what_one_and_two_edits_reach() -> None:
    s = space(CHAIN, "edit a: any Op  edit b: step width  radius 2")
    center = s.architecture({"width": 16, "depth": 2, "Op[0]": "small", "Op[1]": "skip"})
    found = {n.rank for n in s.neighbors(center)}
    expected: set[int] = set()
    for neighbor in s.neighbors(center, 1):
        expected.add(neighbor.architecture.rank)
        expected |= {n.architecture.rank for n in s.neighbors(neighbor.architecture, 1)}
    assert found == expected - {center.rank}
    assert [n.steps for n in s.edits.of(center)] == sorted(n.steps for n in s.edits.of(center))


def test_symmetric_rules_give_symmetric_neighborhoods() -> None:
    s = space(CHAIN, "edit a: any Op  edit b: step width")
    near_to = {a.rank: {n.rank for n in s.neighbors(a)} for a in s}
    assert all(a in near_to[b] for a, found in near_to.items() for b in found)


def test_a_rewrite_of_the_graph_leads_outside() -> None:
    s = space(CHAIN, "edit factor: conv(c, 5) -> conv(c, 3) >> conv(c, 3)")
    center = s.architecture({"width": 8, "depth": 1, "Op[0]": "large"})
    (neighbor,) = s.neighbors(center)
    assert (neighbor.rank, neighbor.decisions, neighbor.architecture) == (None, None, None)
    # 8 * 8 * 25 weights become twice 8 * 8 * 9; settings that are not named are inherited.
    assert neighbor.network.params == center.params - 8 * 8 * 25 + 2 * 8 * 8 * 9
    convs = [n for n in neighbor.network.nodes if n.op == "conv"]
    assert [n.settings["kernel"] for n in convs] == [3, 3, 3]
    assert not any(n.settings["bias"] for n in convs)
    again = s.from_json({**neighbor.subject.to_json()})
    assert again.fingerprint == neighbor.fingerprint
    assert s.neighbors(again) == []


def test_a_rewrite_that_does_not_fit_is_no_neighbor() -> None:
    s = space(
        CHAIN,
        "edit widen: conv(c, 5) -> conv(2*c, 5)  edit cut: conv(c, 5) >> bn >> relu -> identity",
    )
    center = s.architecture({"width": 8, "depth": 1, "Op[0]": "large"})
    # bn follows the wider convolution, and then the linear layer: both adapt.
    assert [n.edit for n in s.neighbors(center)] == ["widen", "cut"]
    residual = HEAD + "network = conv(8, 3) >> (identity + Op(8)) >> global_avgpool >> linear(10)\n"
    s = space(residual, "edit widen: conv(c, 5) -> conv(2*c, 5)")
    center = s.architecture({"Op": "large"})
    assert list(s.neighbors(center)) == []


def test_weights_say_how_often_an_edit_is_drawn() -> None:
    s = space(CHAIN, "edit a: any Op weight 3  edit b: step width weight 1")
    center = s.architecture({"width": 8, "depth": 1, "Op[0]": "skip"})
    # Two neighbors by a (weight 3 each), one by b (weight 1): the first draw is a's in 6 of 7.
    counts = Counter(s.sample_neighbors(center, 1, seed)[0].edit for seed in range(1_000))
    assert 0.82 < counts["a"] / 1_000 < 0.895
    everyone = s.sample_neighbors(center, 99, 0)
    assert len(everyone) == 3


def test_a_path_is_a_shortest_one() -> None:
    s = space(CHAIN, "edit a: skip -> small  edit b: small -> large  edit c: step width")
    rules = Neighborhood(s)
    start = s.architecture({"width": 8, "depth": 1, "Op[0]": "skip"})
    end = s.architecture({"width": 32, "depth": 1, "Op[0]": "large"})
    found = shortest_path(rules, start, end)
    assert found is not None
    assert Counter(n.edit for n in found) == {"a": 1, "b": 1, "c": 2}
    assert shortest_path(rules, end, start) is None
