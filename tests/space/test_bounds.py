"""Bounds of costs where costs are no sums: always bounds, attained where they are called exact."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

import nasdsl
from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.space import bounds
from nasdsl.space.bounds import Sizes, size_bounds
from nasdsl.space.space import Space
from tests.space.programs import examples, programs

ROOT = Path(__file__).parents[2]
CELL = """
input  image[2, 8, 8]
output logits[3]
choice Edge(c) =
  | none = zero
  | skip = identity
  | c1   = relu >> conv(c, 1, bias=false)
  | c3   = relu >> conv(c, 3) >> bn
cell Cell(c) {
  input  n[0]
  node   n[j in 1..2] = COMBINE
  output n[2]
}
network = conv(2, 3, bias=false) >> Cell(2) >> conv(4, 3, stride=2, bias=false) >> Cell(4) TAIL
    >> global_avgpool >> linear(3)
"""


def held(space: Space, found: Sizes) -> int:
    """Checks bounds against every architecture; how many of the four on costs are called exact."""
    costs = [(a.params, a.macs, len(a.network.nodes) - 1) for a in space]
    exact = []
    for bound, values in zip(found, zip(*costs, strict=True), strict=True):
        assert bound.low <= min(values)
        assert bound.high >= max(values)
        assert not bound.low_exact or bound.low == min(values)
        assert not bound.high_exact or bound.high == max(values)
        exact.append(bound.low_exact + bound.high_exact)
    return exact[0] + exact[1]


@pytest.mark.parametrize("combine", ["sum", "mul"])
@pytest.mark.parametrize("tail", ["", ">> bn"])
def test_bounds_of_cells_with_zeros(
    monkeypatch: pytest.MonkeyPatch, combine: str, tail: str
) -> None:
    monkeypatch.setattr(bounds, "ENUMERATED", 0)
    given_ = {
        "sum": "sum(Edge(c)(n[i]) for i in 0..j-1)",
        "mul": "if j == 1 then Edge(c)(n[0]) else mul(Edge(c)(n[0]), Edge(c)(n[1]))",
    }
    space = nasdsl.load(CELL.replace("COMBINE", given_[combine]).replace("TAIL", tail))
    assert space.size == 64
    assert held(space, size_bounds(space)) == 4


def test_bounds_of_written_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ENUMERATED", 0)
    counted = [0, 0]

    @examples(150)
    @given(programs())
    def check(text: str) -> None:
        space = analyze(Source("<text>", text)).space
        if space is not None and space.size <= 300:
            counted[0] += held(space, size_bounds(space))
            counted[1] += 4

    check()
    assert counted[0] > 0.8 * counted[1] > 100


def test_bounds_of_the_published_cells() -> None:
    """Where a cell may come to nothing, what follows the last one is all that is left."""
    tail = 2 * 64 + 64 * 10 + 10  # a norm and the classifier
    params, macs, _ = size_bounds(nasdsl.load(ROOT / "spaces" / "nasbench201.nas"))
    assert (params.low, macs.low) == (tail, 640)
    # The greatest published cost: every edge a 3x3 convolution, 1.531546 MB of parameters.
    assert params.high == 1_531_546
    assert params.exact
    assert macs.exact
