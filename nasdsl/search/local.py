"""Hill climbing along the space's neighbors, best first.

The neighbors of the best architecture known are proposed in random order; one that is better
takes its place at once. Where all neighbors of the best are known, a local optimum, the search
goes on around the next best, so that it never starts over and never repeats itself. With a batch
of one this is first-improvement local search; compare C. White, S. Nolen, Y. Savani, "Exploring
the Loss Landscape in Neural Architecture Search" (UAI 2021), who climb by the best of all
neighbors and start over at local optima.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasdsl.search.archive import Batch, Identity, Planned, Record, fingerprint
from nasdsl.search.goals import leading
from nasdsl.search.variation import Variation
from nasdsl.seeding import generator

if TYPE_CHECKING:
    from nasdsl.space import Space


class LocalSearch(Planned):
    """Best-first hill climbing from the best of ``initial`` uniform draws."""

    def __init__(
        self,
        space: Space,
        seed: int,
        initial: int = 10,
        batch: int = 1,
        identity: Identity = fingerprint,
        variation: Variation | None = None,
    ):
        super().__init__(space, seed, batch, identity)
        self._initial = initial
        self._aim = leading(space)
        self._variation = variation or Variation(space)
        self._done: set[int] = set()

    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """Neighbors of the best, then of the next best, until the batch is full."""
        if len(past) >= self._initial:
            scored = [(self._aim.of(r.outcome), r) for r in past]
            sound = [(v, r) for v, r in scored if v is not None]
            for _, record in sorted(sound, key=lambda s: (-s[0], s[1].index)):
                if batch.is_full:
                    return
                self._climb(record, batch)
        self.fill(past, batch)

    def _climb(self, record: Record, batch: Batch) -> None:
        rank = record.architecture.rank
        if rank in self._done:
            return
        draw = generator(self._seed, "climb", rank)
        for neighbor in self._variation.shuffled(record.architecture, draw):
            if batch.is_full:
                return
            batch.take(neighbor)
        # Every neighbor is known now or proposed, and stays so.
        self._done.add(rank)
