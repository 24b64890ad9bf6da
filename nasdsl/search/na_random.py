"""Neighborhood-aware random search (NA-RS).

Source: X. Wang, S. Cao, M. Li, K. Kitani, "Neighborhood-Aware Neural Architecture Search",
BMVC 2021 (arXiv 2105.06369): an architecture is scored by an aggregate of the performance over
its neighborhood instead of by its own performance,

    a* = argmax over sampled a of  g({ f(a') : a' in N(a) }),    a in N(a), g the mean.

The proposals are those of random search. What makes the search neighborhood-aware is the score:
every proposal is measured together with its neighborhood, so a run of this searcher measures
``flatness.neighborhood`` also where the file's objectives do not name it, and takes the best by
it where the file asks for nothing else than its own single objective.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasdsl.language.settings import Entry
from nasdsl.search.random_search import RandomSearch

SCORE = "flatness.neighborhood"


class NeighborhoodAwareRandomSearch(RandomSearch):
    """Draws centers uniformly; the run measures each with its neighborhood."""


def score(settings: Mapping[str, Any], objectives: Sequence[str]) -> Entry | None:
    """The objective that the search adds: the ball's aggregate, unless the file names one."""
    if SCORE in objectives:
        return None
    return Entry(SCORE, (), (("samples", settings["neighbors"]),))
