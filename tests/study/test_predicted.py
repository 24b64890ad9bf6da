"""Neighborhoods that a model of the run fills in."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as Reference
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from nasdsl.compiler import compile_network
from nasdsl.graph.constant import is_constant
from nasdsl.graph.network import Network
from nasdsl.objectives.measurement import Measurement
from nasdsl.study.plan import Ball
from nasdsl.study.predicted import PENALTIES, Archive, fit
from nasdsl.study.records import Measured, Subject, Trial
from tests.study.worked import Shuffled, measured, plain, plan_of, space, study, table

GOALS = """objective { maximize flatness.neighborhood(estimate=surrogate, trained=2) }
search random { samples 12, seed 3 }
"""
CUT = """
space cut
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | none = zero
  | skip = identity
  | conv = conv(c, 3)
network = conv(4, 3) >> Op(4) >> (Op(4) + Op(4)) >> bn >> global_avgpool >> linear(10)
neighborhood { edit swap: any Op }
"""


def linear(network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
    """An accuracy that the graph decides alone, by something linear in its features."""
    convs = sum(node.op == "conv" for node in network.nodes)
    pools = sum(node.op == "avgpool" for node in network.nodes)
    return measured(accuracy=20 + 5 * convs - 3 * pools + 2 * math.log1p(network.params))


# The model


def rows(count: int, seed: int) -> tuple[list[dict[str, float]], np.ndarray]:
    """Descriptions by named features, and noisy values of them."""
    draw = np.random.default_rng(seed)
    table = draw.normal(size=(count, 6)) * [1, 5, 0.1, 1, 2, 1] + 3
    values = 50 + table @ [1.0, -0.3, 4.0, 0.0, 0.5, 0.2] + draw.normal(size=count)
    return [{f"f{i}": v for i, v in enumerate(row)} for row in table.tolist()], values


@pytest.mark.parametrize("count", [5, 12, 60])
def test_the_penalty_and_the_fit_are_those_of_leaving_each_out_by_itself(count: int) -> None:
    described, values = rows(count, count)
    model = fit(described, values.tolist())
    table = np.array([list(row.values()) for row in described])
    scaled = (table - table.mean(0)) / table.std(0) / np.sqrt(6)
    errors = [
        float(
            np.mean(
                (cross_val_predict(Reference(p), scaled, values, cv=LeaveOneOut()) - values) ** 2
            )
        )
        for p in PENALTIES
    ]
    reference = Reference(PENALTIES[int(np.argmin(errors))]).fit(scaled, values)
    assert model.weights == pytest.approx(reference.coef_, abs=1e-6)
    inside = np.clip(reference.predict(scaled), values.min(), values.max())
    assert model(described) == pytest.approx(inside.tolist(), abs=1e-5)


def test_what_never_differs_and_what_is_unknown_say_nothing() -> None:
    described, values = rows(20, 0)
    model = fit([{**row, "same": 7.0} for row in described], values.tolist())
    assert model(described) == fit(described, values.tolist())(described)
    assert model([{**described[0], "new": 1e9}]) == model([described[0]])


def test_far_away_it_stays_within_what_was_seen() -> None:
    described, values = rows(20, 1)
    model = fit(described, values.tolist())
    far = model([dict.fromkeys(described[0], sign * 1000000000000.0) for sign in (1, -1)])
    assert all(values.min() - 1e-6 <= v <= values.max() + 1e-6 for v in far)


def test_of_little_it_makes_the_mean() -> None:
    assert fit([{"a": 1.0}], [40.0])([{"a": 5.0}]) == [40.0]
    assert fit([{"a": 1.0}, {"a": 2.0}], [40.0, 60.0])([{"a": 9.0}]) == [50.0]
    with pytest.raises(ValueError, match="something to learn from"):
        fit([], [])


def test_constant_networks_are_those_whose_output_does_not_move() -> None:
    found = []
    for architecture in space("", CUT):
        module = compile_network(architecture.network).eval()
        x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            moves = bool((module(x) - module(x)[:1]).abs().max() > 1e-6)
        assert is_constant(architecture.network) is not moves
        found.append(moves)
    assert 0 < sum(found) < len(found)


# The archive


def test_a_ball_holds_what_was_measured_and_predictions_of_the_rest() -> None:
    made = space("", CUT)
    everything = list(made)
    live = [a for a in everything if not is_constant(a.network)]
    (dead, *_) = [a for a in everything if is_constant(a.network)]
    by_print = {a.fingerprint: a for a in everything}
    archive = Archive(lambda subject: by_print[subject.fingerprint].network)
    value = linear(live[0].network, 0, {}).values["accuracy"].value
    ball = [(a.fingerprint, a.network) for a in (live[0], live[1], live[2], dead)]
    trained = [(Subject(live[0].fingerprint), value), (Subject(live[1].fingerprint), None)]
    assert archive.fill(trained, ball) == [value, None, pytest.approx(value), 10.0]
    constant = next(a for a in everything if is_constant(a.network) and a is not dead)
    if constant.fingerprint != dead.fingerprint:
        trained.append((Subject(constant.fingerprint), 12.5))
        assert archive.fill(trained, ball)[-1] == 12.5


# In a run


def test_a_run_judges_centers_by_balls_of_which_two_neighbors_were_trained(tmp_path: Path) -> None:
    made = space(GOALS)
    plan = plan_of(made)
    (part,) = plan.aggregates
    assert (part.ball, part.whole) == (Ball(2), Ball(0))
    trials = study(tmp_path, made, linear)
    centers = [row for row in trials if row.role == "center"]
    assert len(centers) == 12
    assert all(len(row.neighbors) == 2 for row in centers)

    def truth(row: Trial) -> float:
        assert row.decisions is not None
        center = made.architecture(row.decisions)
        ball = [center.network, *(n.network for n in made.neighbors(center))]
        return statistics.fmean(linear(n, 0, {}).values["accuracy"].value for n in ball)

    off = [abs(row.objectives["flatness.neighborhood"] - truth(row)) for row in centers]
    # The first centers are judged by little; the last by all that the run has trained.
    assert max(off[6:]) < 2.0
    spread = statistics.pstdev(truth(row) for row in centers)
    assert statistics.fmean(off[6:]) < 0.2 * spread


@pytest.mark.parametrize("seed", range(3))
def test_the_order_in_which_trials_end_changes_nothing(tmp_path: Path, seed: int) -> None:
    made = space(GOALS)
    one = plain(study(tmp_path / "one", made, linear))
    many = plain(study(tmp_path / "many", made, linear, executor=lambda e: Shuffled(e, 4, seed)))
    assert one == many


@pytest.mark.parametrize("limit", [1, 4, 11])
def test_a_run_that_stops_and_goes_on_judges_alike(tmp_path: Path, limit: int) -> None:
    made = space(GOALS)
    whole = plain(study(tmp_path / "whole", made, linear))
    cut = study(tmp_path / "cut", made, linear, limit=limit)
    assert len(cut) == limit
    study(tmp_path / "cut", made, linear)
    assert table(tmp_path / "cut") == whole


def test_outside_a_run_there_is_nothing_to_learn_from() -> None:
    plan = plan_of(space(GOALS))
    (ball,) = plan.balls
    sound = Measured("complete", None, {"accuracy": 50.0})
    judged = plan.judge(sound, {ball: [sound, sound]})
    assert judged.state == "failed"
    assert "learns from the networks of a run" in str(judged.reason)
    filled = plan.judge(sound, {ball: [sound, sound]}, {Ball(0): [20.0, 50.0, None]})
    assert filled.values == {"flatness.neighborhood": 40.0}
    assert "1 of 3 neighbors failed" in str(filled.reason)
    cut = plan.judge(sound, {ball: [sound, None]}, {})
    assert (cut.state, cut.values) == ("complete", {})


def test_failed_neighbors_are_left_out_and_failed_centers_fail(tmp_path: Path) -> None:
    def fragile(network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
        if network.params % 3 == 0:
            return Measurement({}, "failed", "out of memory")
        return linear(network, seed, facts)

    trials = study(tmp_path, space(GOALS), fragile)
    for row in trials:
        if row.role == "center":
            if row.state == "complete":
                assert math.isfinite(row.objectives["flatness.neighborhood"])
            else:
                assert "out of memory" in str(row.reason) or "no value" in str(row.reason)
    assert {row.state for row in trials} == {"complete", "failed"}
