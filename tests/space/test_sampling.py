"""Samples are uniform over architectures, also where choices depend on choices."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from scipy.stats import chisquare

import nasdsl

CONDITIONAL = """
input image[2, 4, 4]
output logits[3]
choice Op(c) =
  | a = identity
  | b = K(c)
  | d = maybe(relu) >> conv(c, 1)
  | e = Op2(c) * n
  where n in 1..2
block K(c) = conv(c, k)
  where k in {1, 3}
choice Op2(c) = | x = conv(c, 1) | y = bn
cell C(c) {
  input  n[0]
  node   n[j in 1..2] = sum(Op2(c)(n[i]) for i in pick 1 of 0..j-1)
  output n[1] + n[2]
}
network = Op(2) >> (if g then C(2) else relu) >> global_avgpool >> linear(3)
  where g in {false, true}
"""


@pytest.mark.parametrize("condition", ["", "require params <= 40", "require count(a) <= 0"])
def test_uniform(condition: str) -> None:
    space = nasdsl.load(f"{CONDITIONAL}{condition}\n")
    feasible = [a.rank for a in space if space.allows(a)]
    assert 20 <= len(feasible) <= 500
    assert space.feasible == len(feasible)
    drawn = Counter(a.rank for a in space.samples(10_000, seed=7))
    assert set(drawn) <= set(feasible)
    counts = [drawn[rank] for rank in feasible]
    assert chisquare(counts).pvalue > 1e-3


def test_uniform_over_architectures_not_branches() -> None:
    """One alternative holds most architectures, so most samples take it."""
    space = nasdsl.load(
        "input image[2, 4, 4]\noutput logits[2]\n"
        "choice Op = | one = relu | many = K\n"
        "block K = conv(2, k)\n  where k in {1, 3, 5}\n        b in 1..3\n"
        "network = Op >> global_avgpool >> linear(2)\n"
    )
    assert space.size == 10
    drawn = Counter(a.decisions["Op"] for a in space.samples(4_000, seed=3))
    assert chisquare([drawn["one"], drawn["many"]], [400, 3600]).pvalue > 1e-3


def test_seeds() -> None:
    space = nasdsl.load(CONDITIONAL)
    assert [a.rank for a in space.samples(20, seed=1)] == [
        a.rank for a in space.samples(20, seed=1)
    ]
    assert [a.rank for a in space.samples(20, seed=1)] != [
        a.rank for a in space.samples(20, seed=2)
    ]
    assert space.sample(5).rank == space.sample(5).rank


def test_conditions_on_decisions_alone_are_counted_exactly() -> None:
    space = nasdsl.load(
        """
input image[3, 32, 32]
output logits[10]
choice Op(c) =
  | a = conv(c, 3)
  | b = conv(c, 5)
  | s = identity
network = conv(8, 3) >> Op(8) * 8 >> global_avgpool >> linear(10)
require count(Op.s) <= 2
"""
    )
    assert space.size == 3**8
    assert space.feasible == sum(math.comb(8, k) * 2 ** (8 - k) for k in range(3))
