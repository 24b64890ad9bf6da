"""The archive of a search that learns, and proposals planned batch by batch from it.

A searcher that learns has to meet three demands of the contract at once: outcomes may come in
any order, a batch must not depend on outcomes of its own, and a search taken up must go on as if
it had never stopped. All three hold at once where a batch is a function of the seed and of the
records before it, which is what :class:`Planned` is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nasdsl.search.searcher import Candidate, Outcome
from nasdsl.search.wrappers import redraws
from nasdsl.seeding import derive

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Space

Identity = Callable[["Architecture"], Hashable]
"""What two architectures have in common that count as one."""


def fingerprint(architecture: Architecture) -> Hashable:
    """The digest of the live network."""
    return architecture.fingerprint


@dataclass(frozen=True, slots=True)
class Record:
    """One proposal with its outcome, ``None`` where it was not told."""

    index: int
    architecture: Architecture
    identity: Hashable
    outcome: Outcome | None = None


class Batch:
    """A batch being planned: takes architectures that neither it nor the archive holds."""

    def __init__(self, past: Sequence[Record], room: int, identity: Identity):
        self.found: list[Architecture] = []
        self._room = room
        self._identity = identity
        self._identities = {record.identity for record in past}
        self._ranks = {record.architecture.rank for record in past}

    @property
    def is_full(self) -> bool:
        """Whether there is no room left."""
        return len(self.found) >= self._room

    @property
    def seen(self) -> int:
        """How many ranks are known, equal networks of known ones included."""
        return len(self._ranks)

    def knows(self, architecture: Architecture) -> bool:
        """Whether an architecture is certainly known, by its rank alone."""
        return architecture.rank in self._ranks

    def take(self, architecture: Architecture) -> bool:
        """Adds an architecture where it is new and there is room; whether it was added."""
        # The rank is at hand at once; the fingerprint has to build the network first.
        if self.is_full or architecture.rank in self._ranks:
            return False
        self._ranks.add(architecture.rank)
        identity = self._identity(architecture)
        if identity in self._identities:
            return False
        self._identities.add(identity)
        self.found.append(architecture)
        return True

    def take_all(self, architectures: Iterable[Architecture]) -> None:
        """Takes from architectures, in their order, until there is no room left."""
        for architecture in architectures:
            if self.is_full:
                return
            self.take(architecture)


class Planned(ABC):
    """A searcher whose batches are functions of the seed and of the records before them.

    No network is proposed twice, over the whole search; a search ends where no new one is found.
    """

    def __init__(self, space: Space, seed: int, batch: int = 1, identity: Identity = fingerprint):
        self._space = space
        self._seed = seed
        self._size = batch
        self._identity = identity
        self._records: list[Record] = []
        self._positions: dict[int, int] = {}
        self._plan: tuple[int, list[Architecture]] | None = None

    @property
    def batch(self) -> int:
        """Proposals that do not depend on each other's outcomes."""
        return self._size

    @abstractmethod
    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """Fills a batch, learning from the records of the earlier batches.

        Randomness is keyed by the number of past records, through :meth:`key`. A batch that is
        left with room ends the search.
        """

    def key(self, past: Sequence[Record], *keys: str | int) -> int:
        """A seed for the batch behind these records."""
        return derive(self._seed, "ask", len(past), *keys)

    def fill(self, past: Sequence[Record], batch: Batch) -> None:
        """Fills what room is left with new uniform draws, as long as there are any."""
        feasible = self._space.feasible
        patience, missed, attempt = redraws(self._space.size), 0, 0
        while not batch.is_full and missed < patience:
            if feasible is not None and batch.seen >= feasible:
                return
            drawn = self._space.sample(self.key(past, "fill", attempt))
            attempt += 1
            missed = 0 if batch.take(drawn) else missed + 1

    def ask(self, n: int) -> list[Candidate]:
        """The next proposals; fewer where the search is over."""
        found: list[Candidate] = []
        while len(found) < n:
            at = len(self._records)
            start = at - at % self._size
            if self._plan is None or self._plan[0] != start:
                past = self._records[:start]
                batch = Batch(past, self._size, self._identity)
                self.plan(past, batch)
                self._plan = (start, batch.found)
            planned = self._plan[1]
            if at - start >= len(planned):
                break
            index = self._records[-1].index + 1 if self._records else 0
            candidate = Candidate(index, planned[at - start])
            self._add(candidate)
            found.append(candidate)
        return found

    def tell(self, candidate: Candidate, outcome: Outcome) -> None:
        """Writes the outcome to the proposal's record."""
        at = self._positions[candidate.index]
        self._records[at] = replace(self._records[at], outcome=outcome)

    def replay(self, history: Sequence[tuple[Candidate, Outcome | None]]) -> None:
        """Writes the records anew."""
        for candidate, outcome in history:
            self._add(candidate)
            if outcome is not None:
                self.tell(candidate, outcome)

    def _add(self, candidate: Candidate) -> None:
        self._positions[candidate.index] = len(self._records)
        identity = self._identity(candidate.architecture)
        self._records.append(Record(candidate.index, candidate.architecture, identity))
