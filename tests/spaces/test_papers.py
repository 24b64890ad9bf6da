"""Spaces of papers, written from the documents alone: what they count is known in closed form."""

from __future__ import annotations

import random
from math import comb, prod
from pathlib import Path

import pytest

import nasdsl
from nasdsl.language.format import format_text

FOLDER = Path(__file__).parents[1] / "cases" / "papers"
COUNTS = {
    "autoformer": 3 * sum(4**layers for layers in (12, 13, 14)),
    "bignas": 4**7 * prod((2, 2, 2, 3, 5, 5, 2)),
    # A level in the middle of another one: Par of Seq of operations, 3 of them.
    "cfg": 3 + (3 + 3**2) ** 2,
    # An operation for each of 8 layers, and a set of the layers before the last one.
    "enas_macro": 6**8 * 2 ** sum(j - 1 for j in range(2, 9)),
    "fbnet": 9**22,
    "mobilenetv2": 5 * (2 * 2) ** 7,
    "nasnet": prod(comb(j, 2) * 5**2 for j in range(2, 7)),
    "proxyless": 6**6 * 7**15,
    "recurrent": 4**7 * 1 * 2 * 3,
    "resnet": 2 * (8 * 6) ** 4,
    "transnas_macro": 4**4 + 4**5 + 4**6,
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
