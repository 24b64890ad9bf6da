"""Neighborhood-aware evolution: regularized evolution whose fitness is the neighborhood's.

An architecture's fitness is the aggregate of the accuracy over itself and its neighbors (X. Wang
and others, "Neighborhood-Aware Neural Architecture Search", BMVC 2021), which the run measures
with every proposal as ``flatness.neighborhood``. A child is a neighbor of its parent, so part of
what its neighborhood needs is often measured already; networks that are known cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasdsl.search.archive import Identity, fingerprint
from nasdsl.search.evolution import RegularizedEvolution
from nasdsl.search.goals import Aim, aims
from nasdsl.search.na_random import SCORE, score
from nasdsl.search.variation import Variation

if TYPE_CHECKING:
    from nasdsl.space import Space


class NeighborhoodAwareEvolution(RegularizedEvolution):
    """Regularized evolution on the neighborhood's aggregate."""

    def __init__(
        self,
        space: Space,
        seed: int,
        settings: Mapping[str, Any],
        identity: Identity = fingerprint,
        variation: Variation | None = None,
    ):
        super().__init__(
            space,
            seed,
            settings["population"],
            settings["tournament"],
            settings["batch"],
            fitness(space, settings),
            identity,
            variation=variation,
        )


def fitness(space: Space, settings: Mapping[str, Any]) -> Aim:
    """The neighborhood's aggregate: the file's goal of that name, else the one that is added."""
    written = [goal.entry.name for goal in space.goals]
    known = aims(space, score(settings, written))
    return next(aim for aim in known if aim.name.partition("(")[0] == SCORE)
