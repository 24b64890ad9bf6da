"""Candidates that fail, and errors that end a study."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest

from nasdsl.objectives.measurement import Measurement, Value
from nasdsl.study import store
from tests.study.worked import (
    GOALS,
    TEXT,
    Failing,
    measured,
    plain,
    space,
    study,
)


def test_a_failed_candidate_is_recorded_and_the_study_goes_on(tmp_path: Path) -> None:
    params = {"params": Value(17.0)}
    diverged = Measurement(params, "failed", "diverged at step 12: loss is nan")
    rows = study(tmp_path, space(), Failing(w8=diverged))
    failed = [row for row in rows if row.decisions and row.decisions["width"] == 8]
    assert failed
    for row in failed:
        assert (row.state, row.reason) == ("failed", "diverged at step 12: loss is nan")
        assert row.objectives == {"params": 17}
    assert any(row.state == "complete" for row in rows if row.role == "center")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_a_failure(tmp_path: Path, value: float) -> None:
    bad = measured(accuracy=value, params=3)
    rows = study(tmp_path, space(), Failing(w8=bad))
    failed = [row for row in rows if row.decisions and row.decisions["width"] == 8]
    assert failed
    for row in failed:
        assert (row.state, row.reason) == ("failed", f"accuracy is {value}")
        assert row.objectives == {"params": 3}


def test_a_neighborhood_is_aggregated_without_its_failed_members(tmp_path: Path) -> None:
    out = Measurement({}, "failed", "out of memory")
    rows = study(tmp_path, space(GOALS.replace("samples 5", "samples 20")), Failing(w8=out))
    partly = 0
    for row in (row for row in rows if row.role == "center"):
        neighbors = [rows[n["trial"]] for n in row.neighbors]
        sound = [n.objectives["accuracy"] for n in neighbors if n.state == "complete"]
        lost = len(neighbors) - len(sound)
        if rows[row.number].objectives == {}:
            assert (row.state, row.reason) == ("failed", "out of memory")
        elif not sound:
            assert row.state == "failed"
            assert "flatness.neighborhood" in (row.reason or "")
            assert "accuracy" in row.objectives
        elif lost:
            partly += 1
            assert row.state == "complete"
            assert f"{lost} of {len(neighbors)} neighbors failed" in (row.reason or "")
            mean = statistics.mean([row.objectives["accuracy"], *sound])
            assert row.objectives["flatness.neighborhood"] == pytest.approx(mean)
    assert partly, "no center lost only a part of its neighbors: take another seed"


def test_a_center_whose_neighbors_all_failed_has_failed(tmp_path: Path) -> None:
    goals = """objective { maximize flatness.neighborhood(samples=9) }
    search random { samples 15, seed 3 }
    """
    text = TEXT.split("neighborhood")[0] + "neighborhood { edit resize: step width }\n"
    out = Measurement({}, "failed", "out of memory")
    rows = study(tmp_path, space(goals, text), Failing(w4=out, w12=out))
    alone = [r for r in rows if r.role == "center" and r.decisions and r.decisions["width"] == 8]
    assert alone
    for row in alone:
        assert row.state == "failed"
        assert "flatness.neighborhood" in (row.reason or "")
        assert set(row.objectives) == {"accuracy"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a bug")])
def test_what_ends_a_study_leaves_it_ready_to_go_on(tmp_path: Path, error: BaseException) -> None:
    expected = plain(study(tmp_path / "whole", space()))
    with pytest.raises(type(error)):
        study(tmp_path / "cut", space(), Failing(w8=error))
    with store.view(tmp_path / "cut") as facts:
        states = {row.state for row in facts.table()}
    assert "running" not in states
    assert "queued" in states
    assert plain(study(tmp_path / "cut", space())) == expected


def test_an_attempt_is_counted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, space(), Failing(w4=KeyboardInterrupt(), w8=KeyboardInterrupt()))
    rows = study(tmp_path, space())
    assert {row.timing["attempt"] for row in rows} == {1, 2}
    assert all(row.timing["seconds"] >= 0 for row in rows)
