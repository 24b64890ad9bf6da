"""What is told of the first example, held to an enumeration by other means."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import nasdsl
from nasdsl.space import Space
from tests.space.reference.built import Built
from tests.space.reference.interpreter import Reference

FILE = Path(__file__).parents[2] / "examples" / "quickstart.nas"
OPS = ("skip", "conv3x3", "conv5x5", "pool")
LIMIT = 60_000

Design = tuple[int, tuple[str, ...], tuple[str, ...]]
"""Width, the operations of the first two places, those of the residual steps."""


@cache
def space() -> Space:
    return nasdsl.load(FILE)


@cache
def enumerated() -> list[Built]:
    return list(Reference(FILE.read_text(encoding="utf-8")).architectures())


def design(decisions: dict[str, object]) -> Design:
    def ops(name: str) -> tuple[str, ...]:
        return tuple(str(v) for n, v in decisions.items() if n.startswith(name))

    width = decisions["width"]
    assert isinstance(width, int)
    return width, ops("Op@1"), ops("Op@2")


def params(at: Design) -> int:
    """Parameters by hand: convolutions without bias, two per channel for the norm."""
    width, first, second = at
    kernels = {"conv3x3": 9, "conv5x5": 25}
    body = sum(kernels[o] * width * width + 2 * width for o in first + second if o in kernels)
    return 9 * width + 2 * width + body + 10 * width + 10


def near(at: Design) -> Iterator[Design]:
    """The four edits of the example, written out."""
    width, first, second = at
    for place, op in enumerate(first + second):
        for before, after in (("conv3x3", "skip"), ("conv5x5", "conv3x3")):
            if op == before:
                ops = [*first, *second]
                ops[place] = after
                yield width, tuple(ops[:2]), tuple(ops[2:])
    for other in {8: (16,), 16: (8, 32), 32: (16,)}[width]:
        yield other, first, second
    if len(second) > 1:
        yield width, first, second[:-1]
    if len(second) < 3:
        yield width, first, (*second, second[-1])


def feasible_near(at: Design) -> set[Design]:
    return {d for d in near(at) if params(d) <= LIMIT and d != at}


def test_count_and_costs() -> None:
    info = space().info()
    every = enumerated()
    assert info["architectures"] == len(every) == 3 * 4**2 * (4 + 4**2 + 4**3) == 4032
    assert [params(design(b.decisions)) for b in every] == [b.params for b in every]
    assert info["feasible"] == sum(b.params <= LIMIT for b in every)
    assert info["params"] == {
        "min": min(b.params for b in every),
        "max": max(b.params for b in every),
    }
    assert info["macs"] == {"min": min(b.macs for b in every), "max": max(b.macs for b in every)}


def test_ranks_are_those_of_the_text() -> None:
    """First choice most significant, values ascending, alternatives as declared."""
    every = [
        (width, depth, first, second)
        for width in (8, 16, 32)
        for depth in (1, 2, 3)
        for first in _sequences(2)
        for second in _sequences(depth)
    ]
    chosen = random.Random(1).sample(range(len(every)), 200)
    for rank in [0, *chosen, len(every) - 1]:
        width, _, first, second = every[rank]
        assert design(dict(space()[rank].decisions)) == (width, first, second)


def _sequences(n: int) -> list[tuple[str, ...]]:
    return [()] if n == 0 else [(op, *rest) for op in OPS for rest in _sequences(n - 1)]


def test_number_of_neighbors() -> None:
    designs = [design(b.decisions) for b in enumerated()]
    counts = [len(feasible_near(d)) for d in designs if params(d) <= LIMIT]
    told = space().info()["neighbors"]
    if told.get("exact", True):
        assert (told["min"], told["max"]) == (min(counts), max(counts))
    else:
        assert told["min"] <= min(counts)
        assert max(counts) <= told["max"]


@pytest.mark.parametrize("seed", range(120))
def test_neighbors_of_samples(seed: int) -> None:
    center = space().sample(seed)
    found = space().neighbors(center)
    designs = [design(dict(n.decisions or {})) for n in found]
    assert len(set(designs)) == len(designs)
    assert set(designs) == feasible_near(design(dict(center.decisions)))


def test_the_manual_of_the_command_line_shows_what_info_says_of_it() -> None:
    manual = (FILE.parents[1] / "docs" / "cli.md").read_text(encoding="utf-8")
    (shown,) = re.findall(
        r"```json\n(\{\"name\": \"digits_tiny\", \"arch.*?)```", manual, re.DOTALL
    )
    shipped = nasdsl.load(FILE.parents[1] / "spaces" / "digits_tiny.nas")
    assert json.loads(shown) == shipped.info()
