"""The front, its knee and its hypervolume, against their definitions written out slowly."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasdsl.study import pareto

NUMBERS = st.one_of(
    st.integers(-3, 3).map(float),  # few values: ties and equal points are the hard cases
    st.sampled_from([None, math.nan, math.inf, -math.inf]),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[float | None]], list[bool]]:
    m = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(NUMBERS, min_size=m, max_size=m), max_size=14))
    return rows, draw(st.lists(st.booleans(), min_size=m, max_size=m))


def is_sound(row: list[float | None]) -> bool:
    return all(v is not None and math.isfinite(v) for v in row)


def numbers(row: list[float | None]) -> list[float]:
    """The row for what compares numbers; callers have seen that it is sound."""
    return [math.nan if v is None else v for v in row]


def dominates(a: list[float], b: list[float], maximize: list[bool]) -> bool:
    better = [(x > y) if up else (x < y) for x, y, up in zip(a, b, maximize, strict=True)]
    worse = [(x < y) if up else (x > y) for x, y, up in zip(a, b, maximize, strict=True)]
    return any(better) and not any(worse)


@settings(deadline=None)
@given(tables())
def test_front_is_the_definition(case: tuple[list[list[float | None]], list[bool]]) -> None:
    rows, maximize = case
    sound = [i for i, row in enumerate(rows) if is_sound(row)]
    expected = [
        i
        for i in sound
        if not any(dominates(numbers(rows[j]), numbers(rows[i]), maximize) for j in sound)
    ]
    assert pareto.front(rows, maximize) == expected


@settings(deadline=None)
@given(tables())
def test_knee_is_on_the_front_and_farthest(
    case: tuple[list[list[float | None]], list[bool]],
) -> None:
    rows, maximize = case
    found = pareto.knee(rows, maximize)
    members = pareto.front(rows, maximize)
    if not members:
        assert found is None
        return
    assert found in members

    def distance(i: int) -> float:
        total, m = 0.0, 0
        for j, up in enumerate(maximize):
            column = [numbers(rows[k])[j] for k in members]
            low, high = min(column), max(column)
            if low == high:
                continue
            m += 1
            share = (numbers(rows[i])[j] - low) / (high - low)
            total += 1 - share if up else share
        return (1 - total) / math.sqrt(m) if m else 0.0

    assert distance(found) == pytest.approx(max(distance(i) for i in members), abs=1e-9)


def test_knee_of_two_objectives_is_farthest_from_the_line_between_the_ends() -> None:
    # Ends (0, 0) and (10, 100); of the others (2, 80) bulges most towards the ideal (0, 100).
    rows = [[0.0, 0.0], [1.0, 30.0], [2.0, 80.0], [6.0, 90.0], [10.0, 100.0], [9.0, 20.0]]
    assert pareto.knee(rows, [False, True]) == 2


def test_of_equal_knees_the_first_objective_decides_then_the_order() -> None:
    assert pareto.knee([[1.0, 5.0], [2.0, 9.0]], [True, False]) == 1
    assert pareto.knee([[1.0], [1.0], [0.0]], [True]) == 0
    assert pareto.knee([[3.0, 3.0], [3.0, 3.0]], [True, False]) == 0


@settings(deadline=None)
@given(tables())
def test_the_balanced_point_has_the_smallest_largest_loss(
    case: tuple[list[list[float | None]], list[bool]],
) -> None:
    rows, maximize = case
    found = pareto.balanced(rows, maximize)
    members = pareto.front(rows, maximize)
    if not members:
        assert found is None
        return
    assert found in members

    def largest_loss(i: int) -> float:
        losses = [0.0]
        for j, up in enumerate(maximize):
            column = [value for k in members if (value := rows[k][j]) is not None]
            value = rows[i][j]
            assert value is not None
            if max(column) > min(column):
                loss = max(column) - value if up else value - min(column)
                losses.append(loss / (max(column) - min(column)))
        return max(losses)

    assert largest_loss(found) == pytest.approx(min(map(largest_loss, members)), abs=1e-9)


def test_the_knee_and_the_balanced_point_may_differ() -> None:
    # Losses (0.1, 0.6) sum to less than (0.5, 0.5), whose larger one is smaller.
    rows = [[0.0, 0.0], [10.0, 10.0], [5.0, 5.0], [1.0, 4.0]]
    assert pareto.knee(rows, [False, True]) == 3
    assert pareto.balanced(rows, [False, True]) == 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=8))
def test_hypervolume_is_the_number_of_dominated_cells(points: list[tuple[int, int]]) -> None:
    rows = [[float(a), float(b)] for a, b in points]
    # First maximized from 0, second minimized from 6: each unit cell counts once.
    cells = sum(
        any(a >= x + 1 and b <= y for a, b in points) for x, y in product(range(6), range(6))
    )
    assert pareto.hypervolume(rows, [True, False], [0.0, 6.0]) == pytest.approx(cells)


def test_hypervolume_ignores_what_is_not_finite() -> None:
    rows: pareto.Values = [[math.nan, 1.0], [2.0, 3.0], [None, 9.0], [math.inf, 1.0]]
    assert pareto.hypervolume(rows, [True, True], [0.0, 0.0]) == pytest.approx(6.0)
    assert pareto.hypervolume([[math.nan, 1.0]], [True, True], [0.0, 0.0]) == 0.0


@settings(deadline=None)
@given(st.lists(NUMBERS, max_size=10), st.booleans())
def test_best_of_one_objective(values: list[float | None], maximize: bool) -> None:
    sound = [v for v in values if v is not None and math.isfinite(v)]
    found = pareto.best(values, maximize)
    if not sound:
        assert found is None
    else:
        wanted = max(sound) if maximize else min(sound)
        assert found == values.index(wanted)
