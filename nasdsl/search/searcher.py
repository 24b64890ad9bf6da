"""What a searcher is: ask, tell, replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from nasdsl.space import Architecture


@dataclass(frozen=True, slots=True)
class Candidate:
    """One proposal.

    Attributes:
        index: the number of the draw that gave it, counted from 0 over the whole search.
            Indices of successive proposals rise; draws that a wrapper rejected leave gaps.
        architecture: what is proposed.
    """

    index: int
    architecture: Architecture


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a proposal.

    ``objectives`` holds finite values by name, as measured (a goal's direction is not applied).
    A failed proposal has a ``reason`` and may lack any of them.
    """

    state: Literal["complete", "failed"]
    objectives: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None


class Searcher(Protocol):
    """Proposes architectures.

    The rules that make a search repeatable:

    - The randomness of proposal ``i`` is derived from the seed and ``i`` alone
      (``derive(seed, "ask", i)``); no clock, file or global generator is read.
    - The state is a function of the proposals and of the outcomes told, whatever the order of
      telling. ``replay`` of a history leaves the searcher as if it had lived it.
    - Failures are told like successes.
    """

    @property
    def batch(self) -> int | None:
        """How many proposals do not depend on each other's outcomes.

        Proposals ``k * batch`` to ``(k + 1) * batch - 1`` are asked for when every earlier one
        has been told, so that a search is the same whatever the number of workers. ``None``:
        no proposal depends on any outcome.
        """
        ...

    def ask(self, n: int) -> list[Candidate]:
        """The next ``n`` proposals; fewer, and in the end none, when the search is over."""
        ...

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Takes note of what became of a proposal."""
        ...

    def replay(self, history: Sequence[tuple[Candidate, Outcome | None]]) -> None:
        """Takes up a search where it was left.

        ``history`` holds the proposals in the order in which they were asked for, with their
        outcomes, ``None`` for those not measured yet. Called once, before the first ``ask``.
        """
        ...
