"""Spaces of papers, written from the documents alone: what they count is known in closed form."""

from __future__ import annotations

import random
from math import comb, factorial, prod
from pathlib import Path

import pytest

import nasdsl
from nasdsl.language.format import format_text

FOLDER = Path(__file__).parents[1] / "cases" / "papers"


def paths(layers: int) -> int:
    """Ways through the trellis of Auto-DeepLab: four scales, up or down by one at most."""
    ends = [1, 1, 0, 0]
    for _ in range(layers - 1):
        ends = [sum(ends[max(0, scale - 1) : scale + 2]) for scale in range(4)]
    return sum(ends)


def modules(level: int) -> int:
    """Grammar of einspace.nas: six computations, three ways to join two, a sequence, a route."""
    below = modules(level - 1) if level > 1 else 0
    return 6 + 4 * below**2 + below


COUNTS = {
    "autodeeplab": paths(6) * 4**3,
    "autoformer": 3 * sum(4**layers for layers in (12, 13, 14)),
    "bignas": 4**7 * prod((2, 2, 2, 3, 5, 5, 2)),
    # Each of 8 nodes: an earlier one and an activation.
    "darts_rnn": factorial(8) * 4**8,
    # A level in the middle of another one: Par of Seq of operations, 3 of them.
    "cfg": 3 + (3 + 3**2) ** 2,
    # An operation for each of 8 layers, and a set of the layers before the last one.
    "einspace": modules(4),
    "enas_macro": 6**8 * 2 ** sum(j - 1 for j in range(2, 9)),
    "fbnet": 9**22,
    "hat": 2 * sum((3 * 3) ** layers for layers in (2, 3, 4)),
    # A set of kernels in each of four layers, not the empty one.
    "mixconv": (2**4 - 1) ** 4,
    "mnasnet": (4 * 3 * 2 * 2 * 3 * 3) ** 3,
    "mobilenetv2": 5 * (2 * 2) ** 7,
    "nasbench_asr": 6**3 * 2 ** (1 + 2 + 3),
    "nasnet": prod(comb(j, 2) * 5**2 for j in range(2, 7)),
    # Both inputs of a node may be the same.
    "nasnet_unread": prod((j * 5) ** 2 for j in range(2, 7)),
    "pnas": prod((j * 8) ** 2 for j in range(2, 7)),
    "proxyless": 6**6 * 7**15,
    "recurrent": 4**7 * 1 * 2 * 3,
    "resnet": 2 * (8 * 6) ** 4,
    # Groups must divide the width.
    "resnext": sum(w % g == 0 for w in range(8, 49, 8) for g in (1, 2, 3, 4, 8)) ** 3,
    "textcnn": (2**4 - 1) * 3 * 2,
    "transnas_macro": 4**4 + 4**5 + 4**6,
    "unet": 3 * 2**3 * 2**3 * 3**7,
    "unetpp": 2**4 * 3,
}


def test_every_text_has_its_count() -> None:
    assert {path.stem for path in FOLDER.glob("*.nas")} == set(COUNTS)


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_the_count_is_the_closed_form_and_ranks_lead_back(name: str) -> None:
    path = FOLDER / f"{name}.nas"
    space = nasdsl.load(path)
    assert space.size == COUNTS[name]
    assert not space.warnings
    draw = random.Random(name)
    for rank in (0, space.size - 1, draw.randrange(space.size)):
        architecture = space[rank]
        assert space.rank(dict(architecture.decisions)) == rank
        assert architecture.network.params == architecture.params > 0
    text = path.read_text(encoding="utf-8")
    assert format_text(text) == text


def test_the_skeletons_within_the_conditions_are_the_published_3256() -> None:
    """Per depth, places that double channels and places that halve the image are free."""
    space = nasdsl.load(FOLDER / "transnas_macro.nas")
    expected = sum(
        sum(comb(n, k) for k in (1, 2, 3)) * sum(comb(n, k) for k in (1, 2, 3, 4))
        for n in (4, 5, 6)
    )
    assert sum(map(space.allows, space)) == expected == 3_256
