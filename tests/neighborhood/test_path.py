"""Shortest paths: as long as those of a search over the whole graph of neighbors, and real."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given

import nasdsl
from nasdsl.api import analyze
from nasdsl.diagnostics import DiagnosticError, Source
from nasdsl.neighborhood import Neighborhood
from nasdsl.neighborhood import path as paths
from nasdsl.neighborhood.components import Distances, Entangled, components
from nasdsl.neighborhood.path import shortest_path
from nasdsl.space.space import Space
from tests.space.programs import examples, programs

SPACES = Path(__file__).parents[2] / "spaces"


def graph(space: Space) -> nx.DiGraph[int]:
    """Every architecture with its neighbors."""
    rules = Neighborhood(space)
    found: nx.DiGraph[int] = nx.DiGraph()
    for center in space:
        found.add_node(center.rank)
        for neighbor in rules.of(center, 1):
            if neighbor.rank is not None:
                found.add_edge(center.rank, neighbor.rank)
    return found


def compared(space: Space, pairs: int, seed: object) -> Counter[str]:
    """Random pairs of feasible architectures against the whole graph."""
    everything = graph(space)
    rules = Neighborhood(space)
    rng = random.Random(str(seed))
    feasible = [a for a in space if space.allows(a)]
    seen: Counter[str] = Counter()
    for _ in range(pairs):
        a, b = rng.choice(feasible), rng.choice(feasible)
        found = shortest_path(rules, a, b)
        if found is None:
            assert not nx.has_path(everything, a.rank, b.rank)
            seen["none"] += 1
            continue
        ranks = [a.rank, *[n.rank for n in found]]
        assert ranks[-1] == b.rank
        assert all(everything.has_edge(x, y) for x, y in itertools.pairwise(ranks))
        length = nx.shortest_path_length(everything, a.rank, b.rank)
        assert len(found) == length, (a.decisions, b.decisions)
        seen["far" if length > 2 else "near"] += 1
    return seen


COPIES = """
input image[1, 8, 8]
output logits[2]
block Layer = conv(2, k) >> relu
  where k in {1, 3, 5}
network = Layer >> Layer * depth >> conv(c, 1) >> global_avgpool >> linear(2)
  where depth in 1..3
        c in {2, 4}
"""
NODES = """
input image[1, 8, 8]
output logits[2]
choice Op(c) = | one = conv(c, 1) | three = conv(c, 3) | skip = identity
cell Cell(c) {
  input  n[0]
  node   n[1] = Op(c)(n[0])
  node   n[2] = sum(Op(c)(n[i]) for i in pick 1 of 0..1)
  node   n[3] = sum(Op(c)(n[i]) for i in SET of 0..2)
  output n[3]
}
network = conv(2, 1) >> Cell(2) >> global_avgpool >> linear(2)
"""
TREES = """
input image[1, 8, 8]
output logits[2]
choice Unit(c) recursion 2 =
  | leaf = conv(c, k)
  | two  = Unit(c) >> Unit(c)
  where k in {1, 3}
network = conv(2, 1) >> Unit(2) >> global_avgpool >> linear(2)
"""
DEEP = """
input image[1, 8, 8]
output logits[2]
choice Unit(c) =
  | plain = conv(c, 1)
  | deep  = (Inner(c) >> relu) * n
  | wide  = Inner(c) + Inner(c)
  where n in 1..2
choice Inner(c) = | a = conv(c, 1) | b = conv(c, k) | d = identity
  where k in {3, 5}
network = conv(2, 1) >> Unit(2) >> global_avgpool >> linear(2)
"""


@pytest.mark.parametrize(
    ("text", "edits"),
    [
        (COPIES, "step k | step depth | any c"),
        (COPIES, "any k | step depth by 1 | step depth by -1"),
        (COPIES, "step k | insert Layer | remove Layer | any c"),
        (COPIES, "any k | step depth at Layer | any depth | any c"),
        (COPIES + "require params <= 120\n", "step k | step depth | any c"),
        (COPIES + "require nodes in 8..9\n", "any k | step depth | any c"),
        (COPIES, "step k where nodes <= 9 | step depth | any c"),
        (COPIES, "any k then any c | step depth | any c"),
        (NODES.replace("SET", "pick 2"), "any Op | any inputs"),
        (NODES.replace("SET", "pick 2"), "one -> three | three -> skip | any inputs of Cell"),
        (NODES.replace("SET", "some"), "any Op | any inputs"),
        (NODES.replace("SET", "pick 2") + "require count(skip) == 1\n", "any Op | any inputs"),
        (DEEP, "any Unit | any Inner | step k | step n"),
        (DEEP, "deep -> wide | wide -> plain | plain -> deep | a -> b | b -> d | d -> a | any n"),
        (TREES, "any Unit | any k"),
        (TREES, "leaf -> two | two -> leaf | step k"),
    ],
)
def test_paths_are_shortest(text: str, edits: str) -> None:
    rules = "".join(f"  edit e{i}: {e}\n" for i, e in enumerate(edits.split(" | ")))
    space = nasdsl.load(f"{text}neighborhood {{\n{rules}}}\n")
    seen = compared(space, 12 if "then" in edits or "some" in text else 30, edits)
    assert seen["far"], seen


def test_paths_of_written_spaces() -> None:
    seen: Counter[str] = Counter()

    @examples(120)
    @given(programs())
    def check(text: str) -> None:
        space = analyze(Source("<text>", text)).space
        if space is None or not 3 <= space.size <= 60:
            return
        seen.update(compared(space, 6, text))
        values = sorted(a.params for a in space)
        limit = values[2 * len(values) // 3]
        space = analyze(Source("<text>", f"{text}require params <= {limit}\n")).space
        assert space is not None
        seen.update(compared(space, 4, text))

    check()
    assert seen["far"] > 10, seen


@pytest.mark.parametrize("name", ["nasbench101", "darts", "vit", "mobilenetv3_ofa", "nats_size"])
def test_paths_across_shipped_spaces(name: str) -> None:
    """Between two samples at once, by real neighbors; there and back the same."""
    space = nasdsl.load(SPACES / f"{name}.nas")
    rules = Neighborhood(space)
    for seed in range(1):
        a, b = space.sample(("a", seed)), space.sample(("b", seed))
        there, back = shortest_path(rules, a, b), shortest_path(rules, b, a)
        assert there is not None
        assert back is not None
        if name in ("nasbench101", "darts", "nats_size"):
            assert len(there) == len(back)  # every edit of these has one that undoes it
        at = a
        for neighbor in there:
            assert neighbor.rank in {n.rank for n in rules.of(at, 1)}
            assert neighbor.architecture is not None
            at = neighbor.architecture
        assert at == b


@pytest.mark.parametrize("text", [COPIES, NODES.replace("SET", "pick 2"), TREES, DEEP])
def test_bounds_of_components_never_say_too_much(text: str) -> None:
    space = nasdsl.load(text)
    rules = Neighborhood(space)
    parts, declared = components(rules)
    names = [name for part in parts for name in part.names]
    assert len(names) == len(set(names))
    assert {name for a in space for name in a.decisions} == set(names)
    lengths = dict(nx.all_pairs_shortest_path_length(graph(space)))
    rng = random.Random(1)
    for _ in range(8):
        end = space[rng.randrange(space.size)]
        distances = Distances(rules.rules, declared, end.decisions)
        for start in space:
            bound = sum(distances.bound(part, start.decisions) for part in parts)
            assert bound <= lengths[start.rank][end.rank]


def test_where_the_order_of_edits_is_refused_all_are_searched_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paths, "WOVEN", 0)
    space = nasdsl.load(COPIES + "require params <= 120\n")
    assert compared(space, 6, 0)["far"] > 1


def test_composed_edits_are_not_taken_apart() -> None:
    space = nasdsl.load(COPIES + "neighborhood { edit both: any k then any c }\n")
    with pytest.raises(Entangled):
        components(Neighborhood(space))


def test_a_search_that_takes_too_long_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "EXPANDED", 3)
    space = nasdsl.load(COPIES + "neighborhood { edit both: any k then any c }\n")
    with pytest.raises(DiagnosticError, match="NAS347"):
        shortest_path(Neighborhood(space), space[0], space[-1])
