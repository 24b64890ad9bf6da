"""Searchers against the shared contract, and the wrappers that all of them share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

import nasdsl
from nasdsl.search.contract import SearcherContract
from nasdsl.search.na_random import NeighborhoodAwareRandomSearch
from nasdsl.search.random_search import RandomSearch
from nasdsl.search.searcher import Candidate, Outcome, Searcher
from nasdsl.search.wrappers import Distinct, Limited, redraws
from nasdsl.seeding import derive
from nasdsl.space import Space

HEAD = """
space tiny
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | skip = identity
  | none = avgpool(1)
  | conv = conv(c, 3)
"""
LARGE = (
    HEAD
    + """network = conv(width, 3) >> Op(width) * 4 >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
require params <= 2500
"""
)
SMALL = (
    HEAD
    + """network = conv(width, 3) >> Op(width) * 2 >> global_avgpool >> linear(10)
  where width in {4, 8}
"""
)


class Climber:
    """Draws around the best that it was told of: its proposals depend on outcomes."""

    batch = 3

    def __init__(self, space: Space, seed: int):
        self._space = space
        self._seed = seed
        self._next = 0
        self._told: dict[int, tuple[float, int]] = {}

    def ask(self, n: int) -> list[Candidate]:
        found = []
        for _ in range(n):
            start = self._next // self.batch * self.batch
            best = max((v for i, v in self._told.items() if i < start), default=(0.0, 0))
            seed = derive(self._seed, "ask", self._next, best[1])
            found.append(Candidate(self._next, self._space.sample(seed)))
            self._next += 1
        return found

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        if outcome.state == "complete":
            value = (outcome.objectives["accuracy"], candidate.architecture.rank)
            self._told[candidate.index] = value

    def replay(self, history: Sequence[tuple[Candidate, Outcome | None]]) -> None:
        for candidate, outcome in history:
            self._next = candidate.index + 1
            if outcome is not None:
                self.tell(candidate, outcome)


class Case(SearcherContract):
    def space(self) -> Space:
        return nasdsl.load(LARGE)


class TestRandom(Case):
    def make(self, space: Space, seed: int) -> Searcher:
        return RandomSearch(space, seed)


class TestNeighborhoodAware(Case):
    def make(self, space: Space, seed: int) -> Searcher:
        return NeighborhoodAwareRandomSearch(space, seed)


class TestWrapped(Case):
    def make(self, space: Space, seed: int) -> Searcher:
        return Limited(Distinct(RandomSearch(space, seed)), 40)


class TestAdaptive(Case):
    """The contract can be met by a searcher that learns, and the wrapper keeps it so."""

    def make(self, space: Space, seed: int) -> Searcher:
        return Climber(space, seed)


class TestContractBites:
    """Searchers that break a rule are told so by the test of that rule."""

    @pytest.fixture
    def contract(self) -> type[SearcherContract]:
        return Case

    def broken(self, searcher: type) -> SearcherContract:
        class Broken(Case):
            def make(self, space: Space, seed: int) -> Searcher:
                made: Searcher = searcher(space, seed)
                return made

        return Broken()

    def test_a_searcher_that_forgets_at_replay(self) -> None:
        class Forgetful(RandomSearch):
            def replay(self, history: Sequence[tuple[Candidate, Outcome | None]]) -> None:
                pass

        with pytest.raises(AssertionError):
            self.broken(Forgetful).test_replay_goes_on_like_the_life_it_replays()
        with pytest.raises(AssertionError):
            self.broken(Forgetful).test_replay_of_proposals_without_outcome()

    def test_a_searcher_that_ignores_its_seed(self) -> None:
        class Deaf(RandomSearch):
            def __init__(self, space: Space, seed: int):
                super().__init__(space, 0)

        with pytest.raises(AssertionError):
            self.broken(Deaf).test_same_seed_same_proposals()

    def test_a_searcher_that_uses_the_global_generator(self) -> None:
        import random

        class Global(RandomSearch):
            def ask(self, n: int) -> list[Candidate]:
                return [
                    Candidate(i, self._space.sample(random.random()))
                    for i in (c.index for c in super().ask(n))
                ]

        with pytest.raises(AssertionError):
            self.broken(Global).test_global_generator_is_left_alone()

    def test_a_searcher_that_depends_on_the_order_of_telling(self) -> None:
        class Last(Climber):
            def tell(self, candidate: Candidate, outcome: Outcome) -> None:
                self._told = {-1: (0.0, candidate.architecture.rank)}

        with pytest.raises(AssertionError):
            self.broken(Last).test_order_of_telling_does_not_matter()


def test_the_seed_of_a_proposal_is_derived_from_its_index() -> None:
    space = nasdsl.load(LARGE)
    ranks = [c.architecture.rank for c in RandomSearch(space, 11).ask(5)]
    assert ranks == [space.sample(derive(11, "ask", i)).rank for i in range(5)]


def test_draws_are_uniform_over_the_feasible() -> None:
    space = nasdsl.load(SMALL + "require params <= 1000\n")
    feasible = [a.rank for a in space if a.params <= 1000]
    assert 0 < len(feasible) < space.size
    n = 200 * len(feasible)
    counts = Counter(c.architecture.rank for c in RandomSearch(space, 0).ask(n))
    assert set(counts) == set(feasible)
    chi2 = sum((counts[r] - 200) ** 2 / 200 for r in feasible)
    # 99.9 % quantile of chi-square is below df + 4 sqrt(2 df) + 12 for these df.
    df = len(feasible) - 1
    assert chi2 < df + 4 * (2 * df) ** 0.5 + 12


def test_distinct_proposes_every_network_once_and_ends() -> None:
    space = nasdsl.load(SMALL)
    classes = {space[r].fingerprint for r in range(space.size)}
    assert len(classes) < space.size, "the space must have equal networks"
    searcher = Distinct(RandomSearch(space, 3), redraws(space.size), space.feasible)
    asked = searcher.ask(10 * space.size)
    assert sorted(c.architecture.fingerprint for c in asked) == sorted(classes)
    assert searcher.ask(1) == []


def test_distinct_keeps_its_archive_through_replay() -> None:
    space = nasdsl.load(SMALL)
    whole = Distinct(RandomSearch(space, 5), redraws(space.size)).ask(99)
    for cut in range(len(whole)):
        again = Distinct(RandomSearch(space, 5), redraws(space.size))
        again.replay([(c, None) for c in whole[:cut]])
        assert [c.index for c in again.ask(99)] == [c.index for c in whole[cut:]]


def test_distinct_gives_up_after_its_patience() -> None:
    space = nasdsl.load(LARGE)

    class Stuck(RandomSearch):
        asked = 0

        def ask(self, n: int) -> list[Candidate]:
            self.asked += n
            return [Candidate(self.asked, self._space[0])]

    stuck = Stuck(space, 0)
    searcher = Distinct(stuck, patience=7)
    assert [c.architecture.rank for c in searcher.ask(5)] == [0]
    assert stuck.asked == 1 + 7
    assert searcher.ask(1) == []
    assert stuck.asked == 1 + 7, "an exhausted search draws no more"


def test_limited_counts_what_was_asked_for_and_replayed() -> None:
    space = nasdsl.load(LARGE)
    searcher = Limited(RandomSearch(space, 0), 5)
    assert [len(searcher.ask(2)) for _ in range(4)] == [2, 2, 1, 0]
    again = Limited(RandomSearch(space, 0), 5)
    again.replay([(c, None) for c in RandomSearch(space, 0).ask(3)])
    assert [c.index for c in again.ask(9)] == [3, 4]
