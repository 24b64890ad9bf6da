"""Expected gains of hypervolume, against hypervolumes and against draws."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import nasdsl
from nasdsl.search import Outcome
from nasdsl.search.features import Encoding, Features
from nasdsl.search.forecast import Counted, Learned, forecast
from nasdsl.search.goals import aims
from nasdsl.search.hypervolume_gain import MOST, Gains, greedy, thinned
from nasdsl.search.models import expected_improvement, normal_scores
from nasdsl.search.nsga2 import layers
from nasdsl.search.surrogate import SurrogateSearch
from nasdsl.seeding import derive, generator
from nasdsl.space import Architecture
from nasdsl.study.pareto import hypervolume

Array = NDArray[np.float64]

coordinates = st.integers(-3, 6).map(float)  # few values, so that ties are common


@st.composite
def fronts(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Points, a reference, and candidates of one to four goals."""
    goals = draw(st.integers(1, 4))
    row = st.lists(coordinates, min_size=goals, max_size=goals)
    points = draw(st.lists(row, min_size=0, max_size=7))
    candidates = draw(st.lists(row, min_size=1, max_size=4))
    return (
        np.array(points, dtype=np.float64).reshape(len(points), goals),
        np.array(draw(row)),
        np.array(candidates),
    )


def volume(points: Array, reference: Array) -> float:
    return hypervolume(points.tolist(), [True] * len(reference), reference.tolist())


def increase(points: Array, reference: Array, candidate: Array) -> float:
    both = np.concatenate([points, candidate[None]])
    return volume(both, reference) - volume(points, reference)


@settings(max_examples=150, deadline=None)
@given(fronts())
def test_the_gain_of_a_known_value_is_the_increase_of_hypervolume(
    case: tuple[Array, Array, Array],
) -> None:
    points, reference, candidates = case
    found = Gains(points, reference).of(candidates, np.zeros_like(candidates))
    expected = [increase(points, reference, row) for row in candidates]
    assert found == pytest.approx(expected, abs=1e-6)


def test_with_one_goal_it_is_the_expected_improvement() -> None:
    mean, deviation = np.array([[0.2], [1.5], [3.0]]), np.array([[1.0], [0.3], [2.0]])
    found = Gains(np.array([[0.4], [1.0], [-2.0]]), np.array([-5.0])).of(mean, deviation)
    assert found == pytest.approx(expected_improvement(mean[:, 0], deviation[:, 0], 1.0))


@pytest.mark.parametrize("goals", [2, 3])
def test_the_expectation_is_the_mean_over_draws(goals: int) -> None:
    draw = generator("gains", goals)
    points = np.array([[draw.random() for _ in range(goals)] for _ in range(6)])
    reference = np.zeros(goals)
    mean = np.array([[0.6, 0.7, 0.5][:goals]])
    deviation = np.array([[0.3, 0.1, 0.2][:goals]])
    gains = [
        increase(points, reference, np.array([draw.gauss(m, s) for m, s in zip(*row, strict=True)]))
        for row in [(mean[0], deviation[0])] * 4000
    ]
    error = float(np.std(gains)) / math.sqrt(len(gains))
    assert error < 0.1 * fmean(gains)  # the draws tell something
    found = Gains(points, reference).of(mean, deviation)[0]
    assert abs(found - fmean(gains)) < 4 * error


@settings(max_examples=60, deadline=None)
@given(fronts(), st.integers(1, 6))
def test_greedy_takes_the_greatest_gain_each_time(
    case: tuple[Array, Array, Array], steps: int
) -> None:
    """Against working out every gain anew, with what was taken at its mean."""
    points, reference, candidates = case
    deviation = np.full_like(candidates, 0.5)
    order = list(greedy(points, reference, candidates, deviation, steps))
    assert sorted(order) == list(range(len(candidates)))
    left = set(order)
    for chosen in order[:steps]:
        gains = Gains(points, reference).of(candidates, deviation)
        assert gains[chosen] == pytest.approx(max(gains[i] for i in left), rel=1e-6, abs=1e-9)
        left.remove(chosen)
        points = np.concatenate([points, candidates[[chosen]]])


def test_one_of_two_equal_candidates_is_followed_by_what_differs() -> None:
    mean = np.array([[2.0, 1.0], [2.0, 1.0], [1.0, 1.8]])
    order = list(greedy(np.array([[0.5, 0.5]]), np.zeros(2), mean, np.zeros_like(mean), 2))
    assert order == [0, 2, 1]


def test_large_fronts_are_thinned_to_a_bounded_number_of_boxes() -> None:
    draw = generator("thinned")
    points = np.abs(np.array([[draw.gauss(0, 1) for _ in range(4)] for _ in range(150)]))
    points /= np.linalg.norm(points, axis=1, keepdims=True)  # a sphere: a front
    assert len(layers(points)[0]) == 150
    few = thinned(points)
    assert 20 < len(few) < 150
    assert len(few) ** 3 / math.factorial(3) <= MOST
    kept = {tuple(row) for row in few}
    assert kept <= {tuple(row) for row in points}
    assert all(tuple(points[points[:, j].argmax()]) in kept for j in range(4))
    assert len(thinned(points[:, :2])) == 150  # two goals make few boxes


TEXT = """
space two
input image[1, 8, 8]
output logits[10]
network = conv(width, 3) >> conv(deep, k) >> global_avgpool >> linear(10)
  where width in {4, 8, 12, 16}
        deep in {4, 8, 12, 16}
        k in {1, 3, 5}
objective { maximize accuracy, minimize params }
"""


def test_parameters_are_counted_where_the_architectures_say_what_was_told() -> None:
    space = nasdsl.load(TEXT)
    accuracy, params = aims(space)
    known = [space[rank] for rank in range(0, space.size, 5)]
    unseen = [space[rank] for rank in range(1, space.size, 5)]
    encoding = Encoding(Features(), known)
    told = np.array([-float(a.params) for a in known])
    counted = forecast(params, known, told, encoding, "gp", 0)
    assert isinstance(counted, Counted)
    mean, deviation = counted.predict(unseen)
    assert (deviation == 0).all()
    extent = told.max() - told.min()
    assert mean == pytest.approx([-a.params / extent for a in unseen])
    assert counted.held == pytest.approx(told / extent)
    # A table of other networks' parameters is learned like any other goal.
    other = forecast(params, known, 3.7 * told, encoding, "gp", 0)
    assert isinstance(other, Learned)
    assert other.held == pytest.approx(normal_scores(told))
    assert isinstance(forecast(accuracy, known, told, encoding, "gp", 0), Learned)
    # Predicted neighborhoods: the price is that of the center, the rest the mean of the ball.
    ball = unseen[:4]
    assert counted.around(ball) == pytest.approx(-ball[0].params / extent)
    assert other.around(ball) == pytest.approx(other.predict(ball)[0].mean())


WIDE = """
space wide
input image[1, 8, 8]
output logits[10]
network = conv(a, 3) >> conv(b, 3) >> conv(c, 3) >> conv(d, 3) >> global_avgpool >> linear(10)
  where a in {4, 8, 12, 16, 20}
        b in {4, 8, 12, 16, 20}
        c in {4, 8, 12, 16, 20}
        d in {4, 8, 12, 16, 20}
objective { maximize accuracy, minimize params }
"""


@pytest.mark.parametrize("aware", [False, True])
def test_two_goals_are_followed_at_once(aware: bool) -> None:
    """More than as many uniform draws find, on each of two seeds."""
    space = nasdsl.load(WIDE)
    shared = Features("decisions")

    def value(architecture: Architecture) -> tuple[float, float]:
        sizes = [float(v) for v in architecture.decisions.values()]
        return sum(math.sqrt(v) for v in sizes) - abs(sizes[0] - sizes[3]), architecture.params

    every = [value(a) for a in space]
    reference = (min(a for a, _ in every), max(p for _, p in every))

    def part(found: list[tuple[float, float]]) -> float:
        volumes = [hypervolume(v, (True, False), reference) for v in (found, every)]
        return volumes[0] / volumes[1]

    for seed in range(2):
        search = SurrogateSearch(
            space, seed, initial=10, draws=40, aware=aware, identity=rank_of, features=shared
        )
        found: list[tuple[float, float]] = []
        while len(found) < 50:
            for candidate in search.ask(10):
                accuracy, params = value(candidate.architecture)
                found.append((accuracy, params))
                told = {"accuracy": accuracy, "params": float(params)}
                search.tell(candidate, Outcome("complete", told))
        drawn = [value(space.sample(derive(seed, "plain", k))) for k in range(50)]
        assert part(found) > 0.93
        assert part(found) > part(drawn) + 0.03


def rank_of(architecture: Architecture) -> int:
    return architecture.rank
