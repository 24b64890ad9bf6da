"""The table of metrics and how goals are read against it."""

import pickle

import pytest

from nasdsl.diagnostics import DiagnosticError
from nasdsl.language.settings import Entry, Name
from nasdsl.objectives import metrics
from nasdsl.objectives.metrics import (
    METRICS,
    Metric,
    MetricRequest,
    labels,
    load_plugins,
    measured,
    read_goal,
    request,
)
from nasdsl.objectives.proxies.table import PROXIES


def goal(name, *args, **kwargs):
    return read_goal(Entry(name, args, tuple(kwargs.items())))


def test_the_table_is_complete():
    assert set(METRICS) >= {
        "accuracy", "loss", "params", "macs", "declared_params",
        "activation_memory", "checkpoint_bytes", "latency", "table",
        "flatness.weights", "flatness.neighborhood",
        *(f"proxy.{name}" for name in PROXIES),
    }  # fmt: skip
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.definition.endswith(".")
        assert callable(metric.load())  # that of a neighborhood estimates it
        assert all(option.doc for option in metric.options)
        assert metric.split == "none" or metric.cost not in ("static", "table")


def test_an_estimated_neighborhood_asks_for_the_center_alone():
    scratch, shared = (
        request("flatness.neighborhood", estimate=how) for how in ("scratch", "shared")
    )
    assert (scratch.cost, shared.cost) == ("neighborhood", "trained")
    assert [r.metric for r in measured([scratch])] == ["accuracy"]
    assert [r.metric for r in measured([shared])] == ["flatness.neighborhood"]
    assert request("flatness.neighborhood", estimate="surrogate").cost == "neighborhood"


def test_defaults_are_the_papers():
    found, problems = goal("flatness.weights")
    assert not problems
    assert found.options == (
        ("sigma", 0.05), ("copies", 20),
        ("of", "accuracy"), ("additive", False), ("recalibrate", False),
    )  # fmt: skip
    found, problems = goal("flatness.neighborhood", samples=6)
    assert not problems
    assert dict(found.options) == {
        "samples": 6, "radius": 1, "aggregate": "mean", "q": 0.25, "center": True, "weight": 1.0,
        "estimate": "scratch", "trained": 2,
    }  # fmt: skip
    assert found.written == "flatness.neighborhood(samples=6)"
    assert found["samples"] == 6


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (Entry("acuracy"), "NAS711"),
        (Entry("accuracy", (3,)), "NAS403"),
        (Entry("flatness.weights", (), (("sigma", -1),)), "NAS407"),
        (Entry("flatness.weights", (), (("copies", 0),)), "NAS407"),
        (Entry("flatness.weights", (), (("sgima", 1),)), "NAS404"),
        (Entry("flatness.neighborhood", (), (("q", 0.1),)), "NAS712"),
        (
            Entry("flatness.neighborhood", (), (("aggregate", Name("worst")), ("weight", 2.0))),
            "NAS712",
        ),
        (Entry("flatness.neighborhood", (), (("center", False), ("weight", 2.0))), "NAS712"),
        (Entry("flatness.neighborhood", (), (("aggregate", Name("avg")),)), "NAS407"),
        (Entry("flatness.neighborhood", (), (("trained", 3),)), "NAS712"),
        (Entry("flatness.neighborhood", (3,), (("estimate", Name("surrogate")),)), "NAS712"),
        (
            Entry("flatness.neighborhood", (), (("estimate", Name("surrogate")), ("samples", 3))),
            "NAS712",
        ),
    ],
)
def test_mistakes(entry, code):
    found, problems = read_goal(entry)
    assert [p.code for p in problems] == [code]
    assert (found is None) == (code == "NAS711")


def test_an_unknown_metric_names_the_nearest():
    _, (found,) = goal("acuracy")
    assert "did you mean 'accuracy'?" in found.message
    assert "flatness.weights" in found.notes[0].message


def test_a_standard_deviation_is_to_be_small():
    assert request("flatness.neighborhood").direction == "maximize"
    assert request("flatness.neighborhood", aggregate=Name("std")).direction == "minimize"
    assert request("params").direction == "minimize"


def test_requests_in_python():
    assert request("flatness.weights", sigma=0.1)["sigma"] == 0.1
    assert pickle.loads(pickle.dumps(request("accuracy"))) == request("accuracy")
    with pytest.raises(DiagnosticError):
        request("flatness.weights", sigma="much")
    with pytest.raises(DiagnosticError):
        request("flatnes")


def test_labels_tell_requests_apart():
    a, b = request("flatness.weights"), request("flatness.weights", sigma=0.1)
    assert labels([request("accuracy"), a, b, a, b]) == (
        "accuracy",
        "flatness.weights",
        "flatness.weights(sigma=0.1)",
        "flatness.weights",
        "flatness.weights(sigma=0.1)",
    )
    bare = MetricRequest("flatness.weights", (("sigma", 0.2), ("copies", 3)))
    assert labels([a, bare])[1] == "flatness.weights(sigma=0.2, copies=3)"


def test_a_neighborhood_is_measured_by_accuracies():
    ball = request("flatness.neighborhood")
    assert [r.metric for r in measured([request("params"), ball])] == ["params", "accuracy"]
    assert [r.metric for r in measured([request("accuracy"), ball, ball])] == ["accuracy"]
    assert [r.metric for r in measured([request("params")])] == ["params"]


class Point:
    def __init__(self, name, found):
        self.name = name
        self.value = f"pkg:{name}"
        self.found = found

    def load(self):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_plugins(monkeypatch):
    mine = Metric(
        "mine", "s", "minimize", "none", "static", "A constant.", lambda candidate, request: (2, 0)
    )
    rival = Metric("accuracy", "", "minimize", "none", "static", "Not ours.", None)
    points = [
        Point("a", mine), Point("b", ImportError("no such thing")), Point("c", 3),
        Point("d", rival),
    ]  # fmt: skip
    monkeypatch.setattr(
        metrics, "entry_points", lambda group: points if group == "nasdsl.metrics" else []
    )
    monkeypatch.setattr(metrics, "METRICS", dict(METRICS))
    found, problems = goal("mine")
    assert found.metric == "mine"
    assert [p.severity for p in problems] == ["warning"] * 3
    assert "no such thing" in problems[0].message
    assert metrics.METRICS["accuracy"].unit == "%"
    assert found.facts.load()(None, found) == (2, 0)
    assert len(load_plugins()) == 3  # a second look adds nothing and takes nothing away
