"""The contract of searchers as a test class, to be subclassed by whoever writes one.

.. code-block:: python

    class TestMine(SearcherContract):
        def space(self):
            return nasdsl.load(TEXT)

        def make(self, space, seed):
            return MySearcher(space, seed)

pytest collects the tests that the subclass inherits.
"""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nasdsl.search.searcher import Candidate, Outcome, Searcher
from nasdsl.seeding import generator

if TYPE_CHECKING:
    from nasdsl.space import Space

LENGTH = 12


class SearcherContract(ABC):
    """What every searcher must do; override :meth:`outcome` for objectives of one's own."""

    @abstractmethod
    def space(self) -> Space:
        """A space of at least a hundred architectures."""

    @abstractmethod
    def make(self, space: Space, seed: int) -> Searcher:
        """A fresh searcher that proposes at least twelve architectures."""

    def outcome(self, candidate: Candidate) -> Outcome:
        """A made-up outcome that depends on the architecture alone; every fifth fails."""
        draw = generator("outcome", candidate.architecture.fingerprint)
        if draw.random() < 0.2:
            return Outcome("failed", {}, "error: made up")
        values = {"accuracy": 100 * draw.random(), "params": float(candidate.architecture.params)}
        return Outcome("complete", values)

    def live(self, searcher: Searcher, n: int, shuffle: int = 0) -> list[Candidate]:
        """Asks for ``n`` proposals in batches and tells each batch in a shuffled order."""
        lived: list[Candidate] = []
        while len(lived) < n:
            asked = searcher.ask(min(searcher.batch or n, n - len(lived)))
            if not asked:
                break
            lived += asked
            told = list(asked)
            generator("shuffle", shuffle).shuffle(told)
            for candidate in told:
                searcher.tell(candidate, self.outcome(candidate))
        return lived

    def test_same_seed_same_proposals(self) -> None:
        """Two searchers of one seed propose the same, and another seed something else."""
        space = self.space()
        first = _ranks(self.live(self.make(space, 3), LENGTH))
        assert len(first) == LENGTH
        assert first == _ranks(self.live(self.make(space, 3), LENGTH))
        assert first != _ranks(self.live(self.make(space, 4), LENGTH))

    def test_indices_rise(self) -> None:
        """Indices are those of draws: they start at 0 or later and rise."""
        indices = [c.index for c in self.live(self.make(self.space(), 0), LENGTH)]
        assert indices[0] >= 0
        assert all(a < b for a, b in itertools.pairwise(indices))

    def test_order_of_telling_does_not_matter(self) -> None:
        """Outcomes told in any order lead to the same proposals."""
        space = self.space()
        runs = [_ranks(self.live(self.make(space, 1), LENGTH, shuffle)) for shuffle in (0, 1, 2)]
        assert runs[0] == runs[1] == runs[2]

    def test_asking_in_pieces_is_asking_at_once(self) -> None:
        """``ask(a)`` then ``ask(b)`` proposes what ``ask(a + b)`` does, within a batch."""
        space = self.space()
        whole, pieces = self.make(space, 5), self.make(space, 5)
        n = min(whole.batch or LENGTH, LENGTH)
        at_once = _ranks(whole.ask(n))
        assert at_once == [_ranks(pieces.ask(1))[0] for _ in range(n)]

    def test_replay_goes_on_like_the_life_it_replays(self) -> None:
        """A search cut anywhere and taken up by replay proposes what an uncut one does."""
        space = self.space()
        whole = self.live(self.make(space, 7), LENGTH)
        batch = self.make(space, 7).batch or 1
        for cut in range(0, LENGTH, batch):
            searcher = self.make(space, 7)
            searcher.replay([(c, self.outcome(c)) for c in whole[:cut]])
            assert _ranks(self.live(searcher, LENGTH - cut)) == _ranks(whole[cut:])

    def test_replay_of_proposals_without_outcome(self) -> None:
        """Proposals that were asked for and not told yet are not asked for again."""
        space = self.space()
        probe = self.make(space, 9)
        n = min(probe.batch or 4, 4)
        whole = probe.ask(n)
        for cut in range(1, n):
            searcher = self.make(space, 9)
            searcher.replay([(c, None) for c in whole[:cut]])
            assert _ranks(searcher.ask(n - cut)) == _ranks(whole[cut:])

    def test_failures_are_taken(self) -> None:
        """A search in which everything fails goes on."""
        searcher = self.make(self.space(), 2)
        for _ in range(LENGTH):
            for candidate in searcher.ask(1):
                searcher.tell(candidate, Outcome("failed", {}, "diverged at step 1"))
        assert isinstance(searcher.ask(1), list)

    def test_global_generator_is_left_alone(self) -> None:
        """Neither reads nor moves the generator of the module ``random``."""
        space = self.space()
        state = random.getstate()
        first = _ranks(self.live(self.make(space, 0), LENGTH))
        assert random.getstate() == state
        random.seed(12345)
        try:
            assert _ranks(self.live(self.make(space, 0), LENGTH)) == first
        finally:
            random.setstate(state)

    def test_proposals_belong_to_the_space(self) -> None:
        """Every proposal is the architecture of its rank."""
        space = self.space()
        for candidate in self.live(self.make(space, 0), LENGTH):
            rank = candidate.architecture.rank
            assert space[rank].decisions == candidate.architecture.decisions


def _ranks(candidates: Iterable[Candidate] | Sequence[Candidate]) -> list[int]:
    return [candidate.architecture.rank for candidate in candidates]
