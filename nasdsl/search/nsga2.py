"""NSGA-II over the decisions of a space, with an archive of the whole search.

Source: K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A Fast and Elitist Multiobjective Genetic
Algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002. What differs:

- Parents are the front of everything that was measured, not the survivors of the last
  generation and its children. Elitism over the archive is what the original approximates; the
  next layers join only while the front is too small to choose from.
- Mutation is an edit of the space's own rules, crossover a uniform one of the decisions,
  completed where decisions depend on each other.
- A network that is known is never measured again; on small discrete spaces half of an ordinary
  run's budget goes into repetitions.
- Feasibility comes first, and without penalties in the objectives: what a ``require`` forbids is
  not proposed, and what failed is no parent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasdsl.search.archive import Batch, Identity, Planned, Record, fingerprint
from nasdsl.search.goals import aims
from nasdsl.search.variation import Variation

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Space

ATTEMPTS = 20
"""Matings for each child before a uniform draw takes its place."""
FEWEST = 4
"""Parents there are at least."""


class Nsga2(Planned):
    """Generations of ``population`` children; all goals of the file count."""

    def __init__(
        self,
        space: Space,
        seed: int,
        population: int = 20,
        crossover: float = 0.2,
        identity: Identity = fingerprint,
        variation: Variation | None = None,
    ):
        super().__init__(space, seed, population, identity)
        self._crossover = crossover
        self._aims = aims(space)
        self._variation = variation or Variation(space)

    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """One generation."""
        rows = [(r, [aim.of(r.outcome) for aim in self._aims]) for r in past]
        sound = [(r, [v for v in row if v is not None]) for r, row in rows]
        sound = [(r, row) for r, row in sound if len(row) == len(self._aims)]
        if len(sound) > 1:
            parents = self._parents(sound)
            draw = random.Random(self.key(past, "generation"))
            for _ in range(ATTEMPTS * self.batch):
                if batch.is_full:
                    return
                self._mate(parents, draw, batch)
        self.fill(past, batch)

    def _parents(self, sound: Sequence[tuple[Record, list[float]]]) -> list[Architecture]:
        """The front of the archive, at least :data:`FEWEST` parents, the least crowded first."""
        values = np.array([row for _, row in sound])
        order: list[int] = []
        for layer in peeled(values):
            order += _spread_first(values, layer)
            if len(order) >= FEWEST:
                break
        return [sound[i][0].architecture for i in order]

    def _mate(self, parents: Sequence[Architecture], draw: random.Random, batch: Batch) -> None:
        first, second = (self._tournament(parents, draw) for _ in range(2))
        child: Architecture | None = first
        crossed = draw.random() < self._crossover and first != second
        if crossed:
            child = self._variation.crossed(first, second, draw)
        if child is None:
            return
        # A child of crossover alone counts only where it is new; else it is mutated.
        if crossed and draw.random() < 0.5 and batch.take(child):
            return
        for mutant in self._variation.shuffled(child, draw):
            if batch.take(mutant):
                return

    @staticmethod
    def _tournament(parents: Sequence[Architecture], draw: random.Random) -> Architecture:
        """The better of two; parents stand best first."""
        return parents[min(draw.randrange(len(parents)), draw.randrange(len(parents)))]


def ranked(values: NDArray[np.float64]) -> list[int]:
    """Indices in the order of NSGA-II: by non-dominated layer, then by crowding distance.

    ``values`` has shape (candidates, objectives), more is better. Ties keep the given order.
    """
    return [i for layer in peeled(values) for i in _spread_first(values, layer)]


def _spread_first(values: NDArray[np.float64], layer: list[int]) -> list[int]:
    """A layer, the least crowded first."""
    distance = crowding(values[layer])
    return [layer[k] for k in sorted(range(len(layer)), key=lambda k: (-distance[k], k))]


def layers(values: NDArray[np.float64]) -> list[list[int]]:
    """Indices by non-dominated layer, the front first; shape and direction as :func:`ranked`."""
    return list(peeled(values))


def peeled(values: NDArray[np.float64]) -> Iterator[list[int]]:
    """The layers one after the other, as far as they are asked for."""
    at_least = np.all(values[:, None] >= values[None], axis=2)
    above = np.any(values[:, None] > values[None], axis=2)
    dominates = at_least & above
    left = np.ones(len(values), dtype=bool)
    while left.any():
        front = left & ~dominates[left].any(axis=0)
        yield [int(i) for i in np.flatnonzero(front)]
        left &= ~front


def crowding(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Crowding distance of each row of one layer, of shape (rows,); infinite at the ends.

    The sum over objectives of the gap between the two nearest rows to either side, as a part of
    the layer's extent (Deb and others, 2002, section III B). Equal rows share one place, so that
    only the first of them counts as an end.
    """
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        extent = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if extent > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / extent
    return distance
