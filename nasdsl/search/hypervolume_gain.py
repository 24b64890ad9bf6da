"""By how much a measurement is expected to raise the hypervolume of an archive.

Goals are to be maximized. What lies above a reference point and is not dominated by the archive
is cut into disjoint boxes. A point y adds the part of each box that lies below it, and as goals
are predicted independently of each other, the expectation factors (M. Emmerich, K. Yang, A.
Deutz, H. Wang, C. M. Fonseca, "A Multicriteria Generalization of Bayesian Global Optimization",
2016, for two goals):

    E[gain] = sum over boxes [l, u] of prod_j (E[max(y_j - l_j, 0)] - E[max(y_j - u_j, 0)]).

With one goal this is the expected improvement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nasdsl.search.models import expected_improvement
from nasdsl.search.nsga2 import crowding

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

CHUNK = 1 << 20
"""Candidates times boxes that are worked on at once."""
MOST = 20_000
"""About so many boxes at most; of larger fronts the least crowded points count."""


class Gains:
    """Expected gains of hypervolume over a front."""

    def __init__(self, front: Array, reference: Array):
        """The front has shape (points, goals), any points at all; the reference (goals,)."""
        above = front[(front > reference).all(axis=1)]
        self._levels = [
            np.append(np.unique(np.append(above[:, j], reference[j])), np.inf)
            for j in range(front.shape[1])
        ]
        places = np.stack(
            [np.searchsorted(levels, above[:, j]) for j, levels in enumerate(self._levels)], axis=1
        )
        found = list(_boxes(places, [len(levels) - 1 for levels in self._levels]))
        self._lower = np.array([[low for low, _ in box] for box in found], dtype=np.intp)
        self._upper = np.array([[high for _, high in box] for box in found], dtype=np.intp)

    def of(self, mean: Array, deviation: Array) -> Array:
        """Expected gains, of shape (candidates,), of independent normal goals.

        ``mean`` and ``deviation`` have shape (candidates, goals), in the front's units; a
        deviation of 0 is a value that is known.
        """
        improvements = [
            np.stack(
                [
                    expected_improvement(mean[:, j], deviation[:, j], float(level))
                    if np.isfinite(level)
                    else np.zeros(len(mean))
                    for level in levels
                ],
                axis=1,
            )
            for j, levels in enumerate(self._levels)
        ]
        found = np.zeros(len(mean))
        step = max(1, CHUNK // max(1, len(mean)))
        for start in range(0, len(self._lower), step):
            lower, upper = self._lower[start : start + step], self._upper[start : start + step]
            part = np.ones((len(mean), len(lower)))
            for j, table in enumerate(improvements):
                part *= table[:, lower[:, j]] - table[:, upper[:, j]]
            found += part.sum(axis=1)
        return found


def _boxes(places: Indices, tops: list[int]) -> Iterator[list[tuple[int, int]]]:
    """Disjoint boxes that fill what no point dominates, as places of levels for each goal.

    Between two levels of the last goal those points count that reach the upper one, and what they
    leave of the other goals is cut up in the same way.
    """
    if len(tops) == 1:
        yield [(int(places[:, 0].max(initial=0)), tops[0])]
        return
    levels = np.unique(np.append(places[:, -1], (0, tops[-1])))
    for low, high in pairwise(levels):
        reach = places[places[:, -1] >= high, :-1]
        for box in _boxes(reach, tops[:-1]):
            yield [*box, (int(low), int(high))]


def thinned(front: Array) -> Array:
    """The least crowded points of a front, at most as many as make :data:`MOST` boxes.

    n points of m goals, in general position, make about n^(m-1) / (m-1)! of them.
    """
    others = front.shape[1] - 1
    if others < 2:
        return front
    most = int((MOST * math.factorial(others)) ** (1.0 / others))
    if len(front) <= most:
        return front
    kept = np.argsort(-crowding(front), kind="stable")[:most]
    return front[np.sort(kept)]


def greedy(
    front: Array, reference: Array, mean: Array, deviation: Array, steps: int
) -> Iterator[int]:
    """Candidates in the order in which they are to be measured.

    The one of the greatest expected gain comes first. It then counts as measured, at its mean,
    before the next is chosen, for the first ``steps`` of them.
    """
    front = thinned(front)
    gains = Gains(front, reference).of(mean, deviation)
    left = np.ones(len(mean), dtype=bool)
    for _ in range(min(steps, len(mean))):
        chosen = int(np.argmax(np.where(left, gains, -np.inf)))
        left[chosen] = False
        yield chosen
        front = np.concatenate([front, mean[[chosen]]])
        now = Gains(front, reference)
        # Gains only fall as the front grows: a candidate is worked out anew where its last
        # gain is the greatest, until that of one stays so.
        stale = left.copy()
        while left.any():
            at = int(np.argmax(np.where(left, gains, -np.inf)))
            if not stale[at]:
                break
            gains[at] = now.of(mean[[at]], deviation[[at]])[0]
            stale[at] = False
    order = np.argsort(-gains, kind="stable")
    yield from (int(i) for i in order if left[i])
