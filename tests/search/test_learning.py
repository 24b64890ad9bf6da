"""The searchers that learn: the contract on a space with conditions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

import pytest

import nasdsl
from nasdsl.search.archive import fingerprint
from nasdsl.search.contract import SearcherContract
from nasdsl.search.evolution import RegularizedEvolution
from nasdsl.search.local import LocalSearch
from nasdsl.search.na_evolution import NeighborhoodAwareEvolution
from nasdsl.search.searcher import Candidate, Outcome, Searcher
from nasdsl.space import Architecture, Space

CONDITIONAL = """
space tiny
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | skip = identity
  | pool = avgpool(3, stride=1)
  | conv = conv(c, k, groups=g)
      where k in {1, 3, 5}
            g in {1, 2}
network = conv(width, 3) >> Op(width) * n >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
        n in {1, 2, 3}
require params <= 6000
objective { maximize accuracy, minimize params }
"""


@cache
def spaces(name: str) -> Space:
    return nasdsl.load({"conditional": CONDITIONAL}[name])


@cache
def _fingerprint(space: str, rank: int) -> Hashable:
    return fingerprint(spaces(space)[rank])


def remembered(architecture: Architecture) -> Hashable:
    """The fingerprint, worked out once for each architecture over all tests."""
    names = {"tiny": "conditional"}
    name = names.get(architecture.space.name, architecture.space.name)
    return _fingerprint(name, architecture.rank)


SETTINGS = {"population": 4, "tournament": 2, "batch": 1, "neighbors": 3}
MAKERS: dict[str, Callable[[Space, int], Searcher]] = {
    "local": lambda s, k: LocalSearch(s, k, initial=3, identity=remembered),
    "local in batches": lambda s, k: LocalSearch(s, k, 3, batch=5, identity=remembered),
    "evolution": lambda s, k: RegularizedEvolution(s, k, 4, 2, identity=remembered),
    "na_evolution": lambda s, k: NeighborhoodAwareEvolution(s, k, SETTINGS, remembered),
}


def made_up(architecture: Architecture) -> float:
    """An accuracy that depends on the architecture alone."""
    return 100 * nasdsl.seeding.generator("made up", architecture.rank).random()


@pytest.mark.parametrize("name", list(MAKERS))
@pytest.mark.parametrize("place", ["conditional"])
class TestContract:
    """The shipped contract, for searchers that follow one goal."""

    @pytest.mark.parametrize("test", [t for t in dir(SearcherContract) if t.startswith("test_")])
    def test_is_kept(self, name: str, place: str, test: str) -> None:
        class Case(SearcherContract):
            def space(self) -> Space:
                return spaces(place)

            def make(self, space: Space, seed: int) -> Searcher:
                return MAKERS[name](space, seed)

            def outcome(self, candidate: Candidate) -> Outcome:
                draw = nasdsl.seeding.generator("outcome", candidate.architecture.rank)
                if draw.random() < 0.2:
                    return Outcome("failed", {}, "error: made up")
                names = ("accuracy", "params", "flatness.neighborhood")
                return Outcome("complete", {n: 100 * draw.random() for n in names})

        getattr(Case(), test)()

    def test_nothing_forbidden_and_nothing_twice(self, name: str, place: str) -> None:
        space = spaces(place)
        lived = live(MAKERS[name](space, 0), 25)
        assert len(lived) == 25
        assert all(space.allows(a) for a in lived)
        assert len({remembered(a) for a in lived}) == 25


def live(searcher: Searcher, n: int, value: Callable[[Architecture], float] = made_up) -> Any:
    """Up to ``n`` proposals, each told its value under every name before the next."""
    lived = []
    while len(lived) < n:
        asked = searcher.ask(min(searcher.batch or n, n - len(lived)))
        if not asked:
            break
        for candidate in asked:
            found = value(candidate.architecture)
            names = ("accuracy", "flatness.neighborhood")
            values = {"params": float(candidate.architecture.rank), **dict.fromkeys(names, found)}
            searcher.tell(candidate, Outcome("complete", values))
            lived.append(candidate.architecture)
    return lived
