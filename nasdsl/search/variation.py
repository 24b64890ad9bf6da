"""New architectures from known ones: mutation by the space's edits, and crossover.

Both respect conditions: a mutation is a neighbor under the edit rules of the text, and a child
of two architectures is completed where a decision came alive with neither parent's value. What a
``require`` forbids is not made.
"""

from __future__ import annotations

import random
from functools import lru_cache

from nasdsl.neighborhood import Neighbor
from nasdsl.neighborhood.complete import complete
from nasdsl.space import Architecture, Space

KEPT = 4_096
"""Neighborhoods that are remembered."""


class Variation:
    """Edits and crossovers of one space; neighborhoods are worked out once."""

    def __init__(self, space: Space):
        self._space = space
        self._around = lru_cache(maxsize=KEPT)(self._worked_out)

    def neighbors(self, center: Architecture) -> tuple[tuple[Architecture, float], ...]:
        """The neighbors inside the space, at the file's radius, each with its weight."""
        return self._around(center.rank)

    def _worked_out(self, rank: int) -> tuple[tuple[Architecture, float], ...]:
        found = self._space.edits.of(self._space[rank])
        return tuple(
            (n.subject, n.weight)
            for n in found
            if isinstance(n, Neighbor) and isinstance(n.subject, Architecture)
        )

    def shuffled(self, center: Architecture, draw: random.Random) -> list[Architecture]:
        """All neighbors in a random order, those of greater weight sooner.

        Sequential weighted sampling without replacement by exponential keys (Efraimidis and
        Spirakis, 2006).
        """
        keyed = [
            (draw.random() ** (1.0 / weight) if weight > 0 else -1.0, i)
            for i, (_, weight) in enumerate(self.neighbors(center))
        ]
        return [self.neighbors(center)[i][0] for _, i in sorted(keyed, reverse=True)]

    def crossed(
        self, first: Architecture, second: Architecture, draw: random.Random
    ) -> Architecture | None:
        """A child that decides each thing as either parent does, at even odds.

        A decision that only one parent has is offered to the child, who keeps it where it comes
        alive. ``None`` where a ``require`` forbids the child.
        """
        decisions = {}
        for name in dict.fromkeys((*first.decisions, *second.decisions)):
            sides = [p.decisions[name] for p in (first, second) if name in p.decisions]
            decisions[name] = sides[draw.randrange(len(sides))]
        child = complete(self._space, decisions)
        return child if self._space.allows(child) else None
