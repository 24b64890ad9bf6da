"""Aggregates over a ball against numpy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasdsl.language.settings import Name
from nasdsl.objectives.metrics import MetricError, request
from nasdsl.objectives.neighborhood import aggregate, quantile

accuracies = st.floats(0, 100)


def ball(**options):
    options = {k: Name(v) if isinstance(v, str) else v for k, v in options.items()}
    return request("flatness.neighborhood", **options)


@given(accuracies, st.lists(accuracies, max_size=12))
def test_against_numpy(center, neighbors):
    members = [center, *neighbors]
    expected = {
        "mean": np.mean(members),
        "median": np.median(members),
        "worst": np.min(members),
        "quantile": np.quantile(members, 0.25),
        "std": np.std(members),
    }
    for name, value in expected.items():
        found = aggregate(center, neighbors, ball(aggregate=name))
        assert found.value == pytest.approx(value, abs=1e-6)
        assert found.spread == pytest.approx(np.std(members), abs=1e-6)
        assert found.unit == "%"
        assert found.note == ""


@given(st.lists(accuracies, min_size=1), st.floats(0, 1))
def test_quantiles_against_numpy(values, q):
    assert quantile(values, q) == pytest.approx(np.quantile(values, q), abs=1e-9)


@given(accuracies, st.lists(accuracies, min_size=1, max_size=12), st.floats(0, 50))
def test_the_center_s_weight(center, neighbors, weight):
    found = aggregate(center, neighbors, ball(weight=weight))
    weights = [weight] + [1] * len(neighbors)
    assert found.value == pytest.approx(np.average([center, *neighbors], weights=weights))


def test_order_does_not_matter_and_the_center_can_be_left_out():
    assert aggregate(1.0, [2.0, 6.0], ball()) == aggregate(1.0, [6.0, 2.0], ball())
    assert aggregate(100.0, [2.0, 6.0], ball(center=False)).value == 4.0
    assert aggregate(None, [2.0, 6.0], ball(center=False)).value == 4.0


def test_failed_neighbors_are_left_out_and_noted():
    found = aggregate(10.0, [None, 20.0, math.nan], ball())
    assert found.value == 15.0
    assert found.note == "2 of 3 neighbors failed"


@pytest.mark.parametrize(
    ("center", "neighbors", "options", "reason"),
    [
        (10.0, [None, None], {}, "none of its 2 neighbors"),
        (None, [10.0], {}, "center has no value"),
        (math.nan, [10.0], {}, "its value is nan"),
        (math.inf, [10.0], {}, "its value is inf"),
        (10.0, [], {"center": False}, "no neighbors"),
        (10.0, [], {"weight": 0.0}, "no neighbors"),
    ],
)
def test_what_cannot_be_had_is_a_failure(center, neighbors, options, reason):
    with pytest.raises(MetricError, match=reason):
        aggregate(center, neighbors, ball(**options))


def test_an_architecture_without_neighbors_is_its_own_ball():
    found = aggregate(70.0, [], ball())
    assert (found.value, found.spread) == (70.0, 0.0)
