"""Regularized evolution.

Source: E. Real, A. Aggarwal, Y. Huang, Q. V. Le, "Regularized Evolution for Image Classifier
Architecture Search", AAAI 2019 (arXiv 1802.01548): the population is a queue of the last P
architectures; the best of S drawn from it is mutated, the child joins, the oldest leaves.

A mutation is one edit of the space's own rules. A child that is known already is not measured
again: its parent's other neighbors are tried, then another parent's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasdsl.search.archive import Batch, Identity, Planned, Record, fingerprint
from nasdsl.search.goals import Aim, leading
from nasdsl.search.variation import Variation

if TYPE_CHECKING:
    from nasdsl.space import Space

TOURNAMENTS = 20
"""Parents that are tried before a uniform draw takes a child's place."""


class RegularizedEvolution(Planned):
    """Aging evolution over the last ``population`` proposals."""

    def __init__(
        self,
        space: Space,
        seed: int,
        population: int = 50,
        tournament: int = 10,
        batch: int = 1,
        aim: Aim | None = None,
        identity: Identity = fingerprint,
    ):
        super().__init__(space, seed, batch, identity)
        self._population = population
        self._tournament = tournament
        self._aim = leading(space) if aim is None else aim
        self._variation = Variation(space)

    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """Children of tournaments; uniform draws while the population is not complete."""
        living = [r for r in past[-self._population :] if self._aim.of(r.outcome) is not None]
        if len(past) >= self._population and living:
            draw = random.Random(self.key(past, "tournaments"))
            for _ in range(TOURNAMENTS * self.batch):
                if batch.is_full:
                    return
                self._bear(living, draw, batch)
        self.fill(past, batch)

    def _bear(self, living: Sequence[Record], draw: random.Random, batch: Batch) -> None:
        rivals = draw.sample(living, min(self._tournament, len(living)))
        parent = max(rivals, key=lambda r: (self._fitness(r), r.index))
        for child in self._variation.shuffled(parent.architecture, draw):
            if batch.take(child):
                return

    def _fitness(self, record: Record) -> float:
        value = self._aim.of(record.outcome)
        assert value is not None, "only those with a value live"
        return value
