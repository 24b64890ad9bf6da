"""What is common to all searchers, as wrappers around any of them."""

from __future__ import annotations

from collections.abc import Sequence

from nasdsl.search.searcher import Candidate, Outcome, Searcher

REDRAWS = 1_000
REDRAWS_PER_ARCHITECTURE = 20
SMALL_SPACE = 5_000


def redraws(size: int) -> int:
    """How many draws in a row may repeat known networks before a space counts as exhausted.

    In a small space of ``size`` architectures, 20 draws for each leave a given one unseen with
    a probability of exp(-20).
    """
    return max(REDRAWS, REDRAWS_PER_ARCHITECTURE * min(size, SMALL_SPACE))


class Distinct:
    """Lets every network through once: draws again where the fingerprint is known.

    The archive is that of the whole search, not of one generation. After ``patience`` known
    draws in a row, or once all ``feasible`` architectures have been drawn, the search ends.
    """

    def __init__(self, searcher: Searcher, patience: int = REDRAWS, feasible: int | None = None):
        self._searcher = searcher
        self._patience = patience
        self._feasible = feasible
        self._fingerprints: set[str] = set()
        self._ranks: set[int] = set()
        self._exhausted = False

    @property
    def batch(self) -> int | None:
        """That of the searcher within."""
        return self._searcher.batch

    def ask(self, n: int) -> list[Candidate]:
        """The next proposals that are new; fewer when there are no more."""
        found: list[Candidate] = []
        known = 0
        while len(found) < n and not self._exhausted:
            drawn = self._searcher.ask(1)
            if not drawn or self._is_complete():
                self._exhausted = True
            elif self._is_new(drawn[0]):
                found.append(drawn[0])
                known = 0
            else:
                known += 1
                self._exhausted = known >= self._patience
        return found

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Passed on."""
        self._searcher.tell(candidate, outcome)

    def replay(self, history: Sequence[tuple[Candidate, Outcome | None]]) -> None:
        """Fills the archive."""
        for candidate, _ in history:
            self._ranks.add(candidate.architecture.rank)
            self._fingerprints.add(candidate.architecture.fingerprint)
        self._searcher.replay(history)

    def _is_complete(self) -> bool:
        return self._feasible is not None and len(self._ranks) >= self._feasible

    def _is_new(self, candidate: Candidate) -> bool:
        # The rank is at hand at once; the fingerprint has to build the network first.
        if candidate.architecture.rank in self._ranks:
            return False
        self._ranks.add(candidate.architecture.rank)
        fingerprint = candidate.architecture.fingerprint
        if fingerprint in self._fingerprints:
            return False
        self._fingerprints.add(fingerprint)
        return True


class Limited:
    """Ends a search after ``samples`` proposals."""

    def __init__(self, searcher: Searcher, samples: int):
        self._searcher = searcher
        self._left = samples

    @property
    def batch(self) -> int | None:
        """That of the searcher within."""
        return self._searcher.batch

    def ask(self, n: int) -> list[Candidate]:
        """The next proposals, as long as samples are left."""
        found = self._searcher.ask(min(n, self._left)) if self._left > 0 and n > 0 else []
        self._left -= len(found)
        return found

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Passed on."""
        self._searcher.tell(candidate, outcome)

    def replay(self, history: Sequence[tuple[Candidate, Outcome | None]]) -> None:
        """The proposals of the history count."""
        self._left -= len(history)
        self._searcher.replay(history)
