"""The study: what is planned, in which order, and what is reused."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import nasdsl
from nasdsl.graph.network import Network
from nasdsl.objectives.measurement import Measurement
from nasdsl.search.wrappers import Distinct, Limited
from nasdsl.seeding import derive
from nasdsl.study import store
from nasdsl.study.executors import Processes
from nasdsl.study.loop import Progress
from nasdsl.study.records import Trial
from tests.search.test_searchers import Climber
from tests.study.worked import (
    GOALS,
    TEXT,
    Shuffled,
    Slow,
    formula,
    plain,
    space,
    study,
)

# What is planned


def test_trials_are_numbered_by_center_then_neighbors(tmp_path: Path) -> None:
    made = space()
    rows = study(tmp_path, made)
    assert [row.number for row in rows] == list(range(len(rows)))
    assert all(row.state == "complete" for row in rows)
    centers = [row for row in rows if row.role == "center"]
    assert len(centers) == 5
    known: set[str] = set()
    expected = []
    for center in centers:
        assert center.rank is not None
        a = made[center.rank]
        seed = derive(7, "neighbors", str(a.rank), "samples=3")
        neighbors = made.sample_neighbors(a, 3, seed)
        assert [n["rank"] for n in center.neighbors] == [n.rank for n in neighbors]
        assert [n["edit"] for n in center.neighbors] == [n.edit for n in neighbors]
        for fingerprint in (a.fingerprint, *(n.fingerprint for n in neighbors)):
            if fingerprint not in known:
                known.add(fingerprint)
                expected.append(fingerprint)
    assert [row.fingerprint for row in rows] == expected


def test_every_row_is_what_it_says(tmp_path: Path) -> None:
    made = space()
    rows = study(tmp_path, made)
    for row in rows:
        assert row.decisions is not None
        a = made.architecture(row.decisions)
        assert (a.rank, a.fingerprint) == (row.rank, row.fingerprint)
        assert row.seed == derive(7, "trial", row.fingerprint)
        outcome = formula(a.network, row.seed, {})
        assert row.objectives["accuracy"] == outcome.values["accuracy"].value
        assert row.objectives["params"] == a.params
        assert isinstance(row.objectives["params"], int)
        if row.role == "neighbor":
            assert row.center is not None
            assert rows[row.center].role == "center"
            assert row.number in {n["trial"] for n in rows[row.center].neighbors}
        else:
            ball = [row.number, *(n["trial"] for n in row.neighbors)]
            values = [rows[n].objectives["accuracy"] for n in ball]
            assert row.objectives["flatness.neighborhood"] == pytest.approx(statistics.mean(values))
            assert row.spreads["flatness.neighborhood"] == pytest.approx(statistics.pstdev(values))


def test_no_network_is_trained_twice(tmp_path: Path) -> None:
    trained: list[tuple[str, int]] = []

    def counting(network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
        from nasdsl.graph.fingerprint import fingerprint

        trained.append((fingerprint(network), seed))
        return formula(network, seed, facts)

    made = space("objective { maximize flatness.neighborhood }\nsearch random { samples 12 }\n")
    rows = study(tmp_path, made, counting)
    assert len(trained) == len(rows) == len({f for f, _ in trained})
    links = [n for row in rows for n in row.neighbors]
    assert len(links) > len(rows), "some neighborhoods must overlap, or this test shows nothing"
    assert all(rows[n["trial"]].fingerprint == n["fingerprint"] for n in links)


def test_a_neighbor_that_is_proposed_later_becomes_a_center(tmp_path: Path) -> None:
    goals = "objective { maximize flatness.neighborhood(samples=4) }\nsearch random { samples 40 }"
    rows = study(tmp_path, space(goals + "\n"))
    with store.view(tmp_path) as facts:
        became = [
            c
            for c, t in ((c, facts.trials()[c.trial]) for c in facts.centers())
            if t.center != c.position
        ]
    assert became, "no such center: take another seed"
    for center in became:
        row = rows[center.trial]
        assert (row.role, row.rank, row.edit) == ("center", center.subject.rank, None)
        assert "flatness.neighborhood" in row.objectives
    assert sum(row.role == "center" for row in rows) == 40


def test_constraints_hold_for_every_trial(tmp_path: Path) -> None:
    made = nasdsl.load(TEXT + "require params <= 1000\n" + GOALS)
    rows = study(tmp_path, made)
    assert all(row.objectives["params"] <= 1000 for row in rows)


def test_two_neighborhoods_of_one_center(tmp_path: Path) -> None:
    goals = """objective { maximize flatness.neighborhood(samples=2),
      maximize flatness.neighborhood(samples=4, aggregate=worst) }
    search random { samples 3 }
    """
    rows = study(tmp_path, space(goals))
    second = "flatness.neighborhood(samples=4, aggregate=worst)"
    for row in (row for row in rows if row.role == "center"):
        balls: dict[str, list[float]] = {}
        for n in row.neighbors:
            balls.setdefault(n["ball"], []).append(rows[n["trial"]].objectives["accuracy"])
        assert {name: len(v) for name, v in balls.items()} == {"samples=2": 2, "samples=4": 4}
        own = row.objectives["accuracy"]
        mean = statistics.mean([own, *balls["samples=2"]])
        assert row.objectives["flatness.neighborhood"] == pytest.approx(mean)
        assert row.objectives[second] == min([own, *balls["samples=4"]])


def test_a_search_without_neighborhoods_trains_its_samples_alone(tmp_path: Path) -> None:
    rows = study(tmp_path, space("objective { maximize accuracy }\nsearch random { samples 9 }\n"))
    assert [row.role for row in rows] == ["center"] * 9
    assert all(row.neighbors == () for row in rows)


def test_na_random_measures_neighborhoods_that_the_file_does_not_name(tmp_path: Path) -> None:
    goals = "objective { maximize accuracy }\nsearch na_random { samples 3, neighbors 2 }\n"
    rows = study(tmp_path, space(goals))
    for row in (row for row in rows if row.role == "center"):
        assert len(row.neighbors) == 2
        assert "flatness.neighborhood" in row.objectives


# The order of work does not matter


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_the_table_does_not_depend_on_who_is_done_first(
    tmp_path: Path, slots: int, seed: int
) -> None:
    expected = plain(study(tmp_path / "one", space()))
    other = study(tmp_path / "other", space(), executor=lambda e: Shuffled(e, slots, seed))
    assert plain(other) == expected


def test_the_table_does_not_depend_on_processes(tmp_path: Path) -> None:
    expected = plain(study(tmp_path / "one", space()))
    other = study(
        tmp_path / "two",
        space(),
        Slow(0.02),
        executor=lambda e: Processes(e, 2, preload=()),
    )
    assert plain(other) == expected


@pytest.mark.parametrize("seed", range(3))
def test_a_searcher_that_learns_learns_the_same_in_any_order(tmp_path: Path, seed: int) -> None:
    made = space("objective { maximize accuracy }\nsearch random { samples 11 }\n")

    def adaptive() -> Limited:
        return Limited(Distinct(Climber(made, 5)), 11)

    one = plain(study(tmp_path / "one", made, searcher=adaptive()))
    many = study(
        tmp_path / "many",
        made,
        executor=lambda e: Shuffled(e, 4, seed),
        searcher=adaptive(),
    )
    assert plain(many) == one
    assert len(one) == 11
    ranks = [row["rank"] for row in one]
    unguided = [c.architecture.rank for c in Limited(Distinct(Climber(made, 5)), 11).ask(11)]
    assert ranks != unguided, "what it was told must have changed its proposals"


# The budget


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 9, 13, 1000])
def test_a_budget_cuts_the_table_and_nothing_else(tmp_path: Path, limit: int) -> None:
    whole = plain(study(tmp_path / "whole", space()))
    cut = plain(study(tmp_path / "cut", space(), limit=limit))
    assert len(cut) == min(limit, len(whole))
    for row, full in zip(cut, whole, strict=False):
        for name in ("number", "rank", "decisions", "fingerprint", "seed", "state"):
            assert row[name] == full[name]
        short = [n for n in row["neighbors"] if n["trial"] is None]
        if short:
            room = len(row["neighbors"]) - len(short)
            assert "flatness.neighborhood" not in row["objectives"]
            assert f"{room} of {len(row['neighbors'])} neighbors" in row["reason"]
        elif row["role"] == full["role"]:
            assert row["objectives"] == full["objectives"]


@pytest.mark.parametrize("limits", [(1, 2, 3, 100), (6, 7), (3, 1000), (5, 5), (11, 100)])
def test_a_larger_budget_later_is_a_larger_budget_at_once(
    tmp_path: Path, limits: tuple[int, ...]
) -> None:
    at_once = plain(study(tmp_path / "once", space(), limit=limits[-1]))
    for limit in limits:
        later = study(tmp_path / "later", space(), limit=limit)
    assert plain(later) == at_once


def test_a_smaller_budget_leaves_what_was_planned_in_the_queue(tmp_path: Path) -> None:
    class Stop(BaseException):
        pass

    def stopping(network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
        raise Stop

    with pytest.raises(Stop):
        study(tmp_path, space(), stopping)
    rows = study(tmp_path, space(), limit=2)
    assert [row.state for row in rows] == ["complete", "complete", "queued", "queued"]
    assert "1 of 3 neighbors" in (rows[0].reason or "")
    again = study(tmp_path, space())
    assert plain(again) == plain(study(tmp_path / "other", space()))


def test_a_small_space_ends_the_search_cleanly(tmp_path: Path) -> None:
    text = """
space two
input image[1, 8, 8]
output logits[10]
network = conv(width, 3) >> global_avgpool >> linear(10)
  where width in {4, 8}
"""
    goals = "objective { maximize accuracy }\nsearch random { samples 50 }\n"
    assert len(study(tmp_path, space(goals, text))) == 2


# Progress


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    def listener(progress: Progress) -> None:
        rows: list[Trial] = progress.rows()
        seen.append((sum("seconds" in row.timing for row in rows), progress.expected))

    rows = study(tmp_path, space(), listener=listener)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (len(rows), len(rows))
    assert all(expected is not None and expected >= done for done, expected in seen)


def test_worker_processes_leave_nothing_behind(tmp_path: Path) -> None:
    import psutil

    before = {p.pid for p in psutil.Process(os.getpid()).children(recursive=True)}
    study(tmp_path, space(), executor=lambda e: Processes(e, 2, preload=()))
    children = psutil.Process(os.getpid()).children(recursive=True)
    left = [p for p in children if p.pid not in before and "forkserver" not in _command(p)]
    assert [p for p in left if "resource_tracker" not in _command(p)] == []


def _command(process: Any) -> str:
    return " ".join(process.cmdline())
