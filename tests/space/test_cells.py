"""The uses of a cell in one network decide in the same places."""

from __future__ import annotations

import pytest

import nasdsl

CELL = """
input image[3, 8, 8]
output logits[10]
cell C(c) {
  input x
  node y = if c == 8 then conv(c, 3)(x) else (maybe(bn))(x)
  output y
}
"""
HEAD = " >> global_avgpool >> linear(10)"


def test_a_use_that_decides_nothing_differs_from_one_that_decides() -> None:
    found = nasdsl.check(f"{CELL}network = conv(8, 3) >> C(8) >> conv(16, 3) >> C(16){HEAD}\n")
    assert [d.code for d in found] == ["NAS308"]
    assert found[0].span is not None
    assert found[0].span.text == "C"


@pytest.mark.parametrize(
    "network",
    [
        f"choice P = | a = C(8) | b = conv(16, 3) >> C(16)\nnetwork = conv(8, 3) >> P{HEAD}",
        f"network = conv(w, 3) >> C(w){HEAD}\n  where w in {{8, 16}}",
    ],
)
def test_uses_in_different_networks_may_differ(network: str) -> None:
    space = nasdsl.load(f"{CELL}{network}\n")
    assert space.size == 3
    assert sorted(len(a.decisions) for a in space) == [1, 2, 2]
    assert len({a.fingerprint for a in space}) == 3
