"""The first space against an enumeration that knows nothing of the package."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from scipy.stats import chisquare

import nasdsl

FILE = Path(__file__).parents[2] / "examples" / "quickstart.nas"
OPS = ("skip", "conv3x3", "conv5x5", "pool")
WIDTHS = (8, 16, 32)
Design = tuple[int, int, tuple[str, ...]]
"""Width, depth, and the operations of the two copies before the pooling and of those after."""


def designs() -> Iterator[Design]:
    for width in WIDTHS:
        for depth in (1, 2, 3):
            for ops in itertools.product(OPS, repeat=2 + depth):
                yield width, depth, ops


def conv(cin: int, cout: int, k: int, pixels: int) -> tuple[int, int]:
    """Parameters with a norm, and multiply-accumulates, of a convolution without bias."""
    weights = cin * cout * k * k
    return weights + 2 * cout, weights * pixels


def cost(design: Design) -> tuple[int, int]:
    width, _, ops = design
    params, macs = conv(1, width, 3, 64)
    for place, op in enumerate(ops):
        if op.startswith("conv"):
            p, m = conv(width, width, int(op[4]), 64 if place < 2 else 16)
            params, macs = params + p, macs + m
    return params + width * 10 + 10, macs + width * 10


def feasible(design: Design) -> bool:
    return cost(design)[0] <= 60_000


def neighbors(design: Design) -> set[Design]:
    width, depth, ops = design
    found: set[Design] = set()
    for i, op in enumerate(ops):
        for before, after in (("conv3x3", "skip"), ("conv5x5", "conv3x3")):
            if op == before:
                found.add((width, depth, (*ops[:i], after, *ops[i + 1 :])))
    at = WIDTHS.index(width)
    for other in WIDTHS[max(0, at - 1) : at + 2]:
        found.add((other, depth, ops))
    if depth > 1:
        found.add((width, depth - 1, ops[:-1]))
    if depth < 3:
        found.add((width, depth + 1, (*ops, ops[-1])))
    return {d for d in found if d != design and feasible(d)}


def design_of(decisions: dict[str, object]) -> Design:
    copies = tuple(str(v) for n, v in decisions.items() if n.startswith("Op@"))
    return int(str(decisions["width"])), int(str(decisions["depth"])), copies


@pytest.fixture(scope="module")
def space() -> nasdsl.Space:
    return nasdsl.load(FILE)


@pytest.fixture(scope="module")
def everything() -> list[Design]:
    return list(designs())


def test_info_equals_the_enumeration(space: nasdsl.Space, everything: list[Design]) -> None:
    info = space.info()
    allowed = [d for d in everything if feasible(d)]
    costs = [cost(d) for d in everything]
    degrees = [len(neighbors(d)) for d in allowed]
    assert info["architectures"] == len(everything) == 4032
    assert info["feasible"] == len(allowed)
    assert info["neighbors"] == {"min": min(degrees), "max": max(degrees)}
    for which, name in enumerate(("params", "macs")):
        values = [c[which] for c in costs]
        assert info[name] == {"min": min(values), "max": max(values)}


def test_ranks_follow_the_text_and_are_inverse(
    space: nasdsl.Space, everything: list[Design]
) -> None:
    for rank, design in enumerate(everything):
        architecture = space[rank]
        assert design_of(dict(architecture.decisions)) == design
        assert space.rank(dict(architecture.decisions)) == rank


def test_costs_and_neighbors_of_samples(space: nasdsl.Space) -> None:
    for architecture in space.samples(60, seed=1):
        design = design_of(dict(architecture.decisions))
        assert (architecture.params, architecture.macs) == cost(design)
        found = [design_of(dict(n.decisions or {})) for n in space.neighbors(architecture)]
        assert len(found) == len(set(found))
        assert set(found) == neighbors(design)


CONDITIONAL = """
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | plain = conv(c, 3)
  | two   = conv(c, 3) >> maybe(relu) >> conv(c, k)
  | none  = identity
  where k in {3, 5}
network = conv(8, 3) >> Op(8) * depth >> global_avgpool >> linear(10)
  where depth in 1..2
"""


def test_samples_of_a_conditional_space_are_uniform() -> None:
    # One use: k, then plain, two with or without, none: 2 * (1 + 2 + 1) = 8; depth 1 or 2: 72.
    space = nasdsl.load(CONDITIONAL)
    assert space.size == 8 + 8 * 8
    counts = Counter(a.rank for a in space.samples(10_000, seed=0))
    assert set(counts) == set(range(72))
    assert chisquare([counts[r] for r in range(72)]).pvalue > 0.001


def test_samples_under_a_limit_are_uniform_over_what_is_within() -> None:
    space = nasdsl.load(CONDITIONAL + "require params <= 1.5k\n")
    within = [a.rank for a in space if a.params <= 1_500]
    assert 0 < len(within) < space.size
    assert space.feasible == len(within)
    counts = Counter(a.rank for a in space.samples(5_000, seed=0))
    assert set(counts) == set(within)
    assert chisquare([counts[r] for r in within]).pvalue > 0.001
