"""Conditions over choices that are decided late: what no later reader can tell apart is one."""

from __future__ import annotations

import itertools

import pytest

import nasdsl
from nasdsl.space.residual import steps

CELL = """
input  image[2, 4, 4]
output logits[3]
cell Cell {
  let a[j in 2..N] in 0..j-1
  let b[j in 2..N] in 0..j-1
  input  s[0], s[1]
  node   s[j in 2..N] = conv(2, 1)(s[a[j]]) + s[b[j]]
  output RESULT
}
network {
  input  x
  node   y = conv(2, 3)(x)
  output (global_avgpool >> linear(3))(Cell(x, y))
}
"""
UNREAD = (
    "concat(s[i] for i in 2..N if all(a[j] != i and b[j] != i for j in 3..N))",
    "concat(s[i] for i in 2..N if i not in {a[j] for j in 3..N} and i not in {b[j] for j in 3..N})",
    "concat(s[i] for i in 2..N if not any(a[j] == i or (b[j] == i) for j in 3..N))",
    "concat(s[i] for i in 2..N if not (i in {a[3], a[N], a[N-1], b[N-1], b[3], b[N]}))",
)
"""Nodes that no other reads, as NASNet joins them; the last one for N = 4."""


def cell(result: str, last: int) -> nasdsl.Space:
    return nasdsl.load(CELL.replace("RESULT", result).replace("N", str(last)))


def params(a: dict[int, int], b: dict[int, int], joined: list[int]) -> int:
    """Learned parameters of a cell with these inputs and outputs, by following what is read."""
    live = set(joined)
    for j in sorted(a, reverse=True):
        if j in live:
            live |= {a[j], b[j]}
    convolutions = sum(2 * 2 + 2 for j in a if j in live)
    first = 2 * 2 * 9 + 2 if 1 in live else 0
    return first + convolutions + (2 * len(joined) + 1) * 3


@pytest.mark.parametrize("result", UNREAD)
def test_the_nodes_that_no_other_reads_are_joined(result: str) -> None:
    space = cell(result, 4)
    ranges = [range(j) for j in (2, 3, 4)]
    assert space.size == (2 * 3 * 4) ** 2
    for rank, chosen in enumerate(itertools.product(*ranges, *ranges)):
        a, b = (
            dict(zip((2, 3, 4), chosen[:3], strict=True)),
            dict(zip((2, 3, 4), chosen[3:], strict=True)),
        )
        read = {x for inputs in (a, b) for j, x in inputs.items() if j > 2}
        architecture = space[rank]
        assert tuple(architecture.decisions.values()) == chosen
        assert space.rank(dict(architecture.decisions)) == rank
        assert architecture.params == params(a, b, [i for i in (2, 3, 4) if i not in read])


@pytest.mark.parametrize("result", UNREAD[:3])
def test_the_work_grows_with_what_can_be_told_apart(result: str) -> None:
    # 720^2 ways to choose the inputs; which of four nodes are read yet is at most 2^4 ways.
    space = cell(result, 6)
    assert space.size == 720**2
    assert len(steps(space.step)) < 5_000


def test_a_condition_that_decides_between_two_tensors() -> None:
    last = "if a[3] == b[3] and a[4] != 0 then s[4] else s[3] + s[4]"
    space = cell(last, 4)
    ranges = [range(j) for j in (2, 3, 4)]
    for rank, (a2, a3, a4, b2, b3, b4) in enumerate(itertools.product(*ranges, *ranges)):
        a, b = {2: a2, 3: a3, 4: a4}, {2: b2, 3: b3, 4: b4}
        joined = [4] if a3 == b3 and a4 != 0 else [3, 4]
        known = params(a, b, joined) - (2 * len(joined) + 1) * 3 + (2 + 1) * 3
        assert space[rank].params == known
