"""Uniform random search over the feasible architectures of a space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasdsl.search.searcher import Candidate, Outcome
from nasdsl.seeding import derive

if TYPE_CHECKING:
    from nasdsl.space import Space


class RandomSearch:
    """Draws architectures uniformly, each by itself, with repetition.

    It never ends: the number of samples and the rejection of repetitions are wrappers.
    """

    def __init__(self, space: Space, seed: int):
        self._space = space
        self._seed = seed
        self._next = 0

    @property
    def batch(self) -> None:
        """No draw depends on an outcome."""
        return None

    def ask(self, n: int) -> list[Candidate]:
        """The next ``n`` draws."""
        first, self._next = self._next, self._next + n
        return [
            Candidate(index, self._space.sample(derive(self._seed, "ask", index)))
            for index in range(first, self._next)
        ]

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Outcomes do not change what is drawn."""

    def replay(self, history: Sequence[tuple[Candidate, Outcome | None]]) -> None:
        """Goes on behind the last draw of the history."""
        self._next = max((candidate.index + 1 for candidate, _ in history), default=0)
