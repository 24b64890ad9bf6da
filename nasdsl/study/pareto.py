"""The Pareto front, its knee and its balanced point, and its hypervolume.

Rows of ``values`` are candidates, columns objectives; ``maximize`` says for each column whether
more is better. A candidate with a value that is missing (``None``), not a number, or infinite
is at the gate: it dominates nobody and is never on the front.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = Sequence[Sequence[float | None]]


def front(values: Values, maximize: Sequence[bool]) -> list[int]:
    """Indices of the non-dominated candidates, in ascending order.

    A candidate is dominated by one that is at least as good everywhere and better somewhere;
    equal candidates do not dominate each other.
    """
    import moocore

    sound = [i for i, row in enumerate(values) if _is_sound(row)]
    if not sound or not maximize:
        return sound
    kept = moocore.is_nondominated(_costs(values, maximize, sound), keep_weakly=True)
    return [i for i, keep in zip(sound, kept, strict=True) if keep]


def knee(values: Values, maximize: Sequence[bool]) -> int | None:
    """Index of the knee of the front; ``None`` where the front is empty.

    Each objective is scaled over the front to x_j in [0, 1], 0 the best value on the front and
    1 the worst. The knee is the point farthest, towards the ideal point, from the hyperplane
    through the points that have one objective at its worst and all others at their best,

        d(x) = (1 - sum_j x_j) / sqrt(m);

    for two objectives this is the line through the two ends of the front (I. Das, "On
    characterizing the 'knee' of the Pareto curve based on normal-boundary intersection",
    Structural Optimization 18, 1999). Objectives that are constant on the front do not count.
    Of equally far points the one that is better in the first objective wins, then in the
    second, and so on, then the earlier one.
    """
    found = front(values, maximize)
    if not found:
        return None
    costs, losses = _losses(values, maximize, found)
    # Rounding makes ties of equally far points differ in the last digits.
    sums = np.round(losses.sum(axis=1), 12)
    order = sorted(range(len(found)), key=lambda k: (sums[k], *costs[k], found[k]))
    return found[order[0]]


def balanced(values: Values, maximize: Sequence[bool]) -> int | None:
    """Index of the point of the front whose largest loss is the smallest; ``None`` without one.

    Losses are the x_j of :func:`knee`: of each objective, the part of the front's extent by which
    a point misses the best value. The largest of them is its Chebyshev distance to the ideal
    point (P. L. Yu, "A class of solutions for group decision problems", Management Science 19,
    1973). Of equal ones the smaller sum of losses wins, then the rule of :func:`knee`.
    """
    found = front(values, maximize)
    if not found:
        return None
    costs, losses = _losses(values, maximize, found)
    largest = np.round(losses.max(axis=1, initial=0.0), 12)
    sums = np.round(losses.sum(axis=1), 12)
    order = sorted(range(len(found)), key=lambda k: (largest[k], sums[k], *costs[k], found[k]))
    return found[order[0]]


def best(values: Sequence[float | None], maximize: bool) -> int | None:
    """Index of the best sound value of one objective, the earliest of equals."""
    sound = [i for i, value in enumerate(values) if _is_sound((value,))]
    sign = -1.0 if maximize else 1.0
    return min(sound, key=lambda i: (sign * _number(values[i]), i), default=None)


def hypervolume(values: Values, maximize: Sequence[bool], reference: Sequence[float]) -> float:
    """The volume dominated by the front and bounded by ``reference``, in the objectives' units.

    ``reference`` is given as measured, one value an objective; candidates that are not better
    than it everywhere add nothing.
    """
    import moocore

    sound = [i for i, row in enumerate(values) if _is_sound(row)]
    if not sound:
        return 0.0
    signs = _signs(maximize)
    return float(
        moocore.hypervolume(_costs(values, maximize, sound), ref=np.asarray(reference) * signs)
    )


def _losses(
    values: Values, maximize: Sequence[bool], found: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Costs of a front, and from 0 to 1 those objectives of it that are not constant."""
    costs = _costs(values, maximize, found)
    low, high = costs.min(axis=0, initial=np.inf), costs.max(axis=0, initial=-np.inf)
    varies = high > low
    return costs, (costs[:, varies] - low[varies]) / (high[varies] - low[varies])


def _is_sound(row: Sequence[float | None]) -> bool:
    return all(value is not None and math.isfinite(value) for value in row)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _signs(maximize: Sequence[bool]) -> NDArray[np.float64]:
    return np.array([-1.0 if more else 1.0 for more in maximize])


def _costs(values: Values, maximize: Sequence[bool], rows: Sequence[int]) -> NDArray[np.float64]:
    chosen = [[_number(value) for value in values[i]] for i in rows]
    found: NDArray[np.float64] = np.asarray(chosen, dtype=np.float64) * _signs(maximize)
    return found
