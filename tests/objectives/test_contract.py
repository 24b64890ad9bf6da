"""Every metric keeps the contract; a metric that breaks it is caught."""

import math
import random

import pytest

from nasdsl.objectives import metrics
from nasdsl.objectives.contract import MetricContract
from nasdsl.objectives.metrics import METRICS, Metric, MetricRequest, request


class TestAccuracy(MetricContract):
    request = request("accuracy")


class TestLoss(MetricContract):
    request = request("loss")


class TestParams(MetricContract):
    request = request("params")


class TestMacs(MetricContract):
    request = request("macs")


class TestDeclaredParams(MetricContract):
    request = request("declared_params")
    facts = {"declared_params": 2000}


class TestFlatnessOfWeights(MetricContract):
    request = request("flatness.weights", sigma=0.3, copies=4)


def broken(measure):
    return Metric("broken", "", "minimize", "validation", "trained", "Broken.", measure)


def shaking(candidate, request):
    next(candidate.module.parameters()).data.mul_(2)
    return candidate.predictions.mean().item(), None


@pytest.mark.parametrize(
    ("measure", "test"),
    [
        (lambda c, r: (random.random(), None), "test_is_deterministic"),
        (lambda c, r: (random.random(), None), "test_leaves_global_generators_alone"),
        (lambda c, r: (float(c.batch), None), "test_does_not_depend_on_the_batch"),
        (lambda c, r: (math.nan, None), "test_completes_with_a_finite_value"),
        (shaking, "test_leaves_the_candidate_as_it_was"),
        (lambda c, r: (1.0, None), "test_lets_no_value_through_that_is_not_finite"),
    ],
)
def test_the_contract_catches(monkeypatch, measure, test):
    monkeypatch.setattr(metrics, "METRICS", {**METRICS, "broken": broken(measure)})

    class Case(MetricContract):
        request = MetricRequest("broken")

    with pytest.raises(AssertionError):
        getattr(Case(), test)()
