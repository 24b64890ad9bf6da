"""Regularized evolution.

Source: E. Real, A. Aggarwal, Y. Huang, Q. V. Le, "Regularized Evolution for Image Classifier
Architecture Search", AAAI 2019 (arXiv 1802.01548): the population is a queue of the last P
architectures; the best of S drawn from it is mutated, the child joins, the oldest leaves.

A mutation is one edit of the space's own rules. A child that is known already is not measured
again: its parent's other neighbors are tried, then another parent's.

With ``aware`` an architecture's fitness is the mean of its own value and of the mean over those
of its neighbors that were measured anyhow. Children being neighbors of their parents, most of
the population has some. No network is measured for it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from nasdsl.search.archive import Batch, Identity, Planned, Record, fingerprint
from nasdsl.search.goals import Aim, leading
from nasdsl.search.variation import Variation

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Space

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
        aware: bool = False,
        variation: Variation | None = None,
    ):
        super().__init__(space, seed, batch, identity)
        self._population = population
        self._tournament = tournament
        self._aim = leading(space) if aim is None else aim
        self._aware = aware
        self._variation = variation or Variation(space)
        self._identities: dict[int, Hashable] = {}

    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """Children of tournaments; uniform draws while the population is not complete."""
        valued = [(r, self._aim.of(r.outcome)) for r in past]
        values = {r.identity: v for r, v in valued if v is not None}
        living = [r for r in past[-self._population :] if r.identity in values]
        if len(past) >= self._population and living:
            draw = random.Random(self.key(past, "tournaments"))
            for _ in range(TOURNAMENTS * self.batch):
                if batch.is_full:
                    return
                self._bear(living, values, draw, batch)
        self.fill(past, batch)

    def _bear(
        self,
        living: Sequence[Record],
        values: Mapping[Hashable, float],
        draw: random.Random,
        batch: Batch,
    ) -> None:
        rivals = draw.sample(living, min(self._tournament, len(living)))
        parent = max(rivals, key=lambda r: (self._fitness(r, values), r.index))
        for child in self._variation.shuffled(parent.architecture, draw):
            if batch.take(child):
                return

    def _fitness(self, record: Record, values: Mapping[Hashable, float]) -> float:
        own = values[record.identity]
        if not self._aware:
            return own
        near = {self._identified(a) for a, _ in self._variation.neighbors(record.architecture)}
        found = [values[i] for i in near - {record.identity} if i in values]
        return own if not found else (own + math.fsum(found) / len(found)) / 2

    def _identified(self, architecture: Architecture) -> Hashable:
        rank = architecture.rank
        if rank not in self._identities:
            self._identities[rank] = self._identity(architecture)
        return self._identities[rank]
