"""The study: what is planned, what is reused, and that a killed one goes on where it was."""

from __future__ import annotations

import math
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import nasdsl
from nasdsl.graph.network import Network
from nasdsl.objectives.measurement import Measurement, Value
from nasdsl.search.wrappers import Distinct, Limited
from nasdsl.seeding import derive
from nasdsl.study import store
from nasdsl.study.executors import Processes, Result, Task
from nasdsl.study.loop import Progress
from nasdsl.study.records import Trial
from tests.search.test_searchers import Climber
from tests.study.worked import (
    GOALS,
    TEXT,
    Evaluate,
    Slow,
    formula,
    measured,
    plain,
    space,
    study,
    table,
)

ROOT = Path(__file__).parents[2]


class Shuffled:
    """Works on several tasks at once and gives results in an order of its own."""

    def __init__(self, evaluate: Evaluate, slots: int, seed: int):
        self._evaluate = evaluate
        self._draw = random.Random(seed)
        self.slots = slots
        self.tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        assert len(self.tasks) < self.slots
        self.tasks.append(task)

    def wait(self) -> list[Result]:
        self._draw.shuffle(self.tasks)
        done = [self.tasks.pop() for _ in range(self._draw.randint(1, len(self.tasks)))]
        return [
            Result(t.number, self._evaluate(t.network, t.seed, t.facts), None, 0.0) for t in done
        ]

    def stop(self) -> None:
        self.tasks.clear()


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


# Failures


class Failing:
    """Fails for networks of some widths, each in its own way; else the formula."""

    def __init__(self, **ways: Any):
        self.ways = {int(k.removeprefix("w")): v for k, v in ways.items()}

    def __call__(self, network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
        width = next(n.settings["channels"] for n in network.nodes if n.op == "conv")
        way = self.ways.get(width)
        if way is None:
            return formula(network, seed, facts)
        if isinstance(way, BaseException):
            raise way
        assert isinstance(way, Measurement)
        return way


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


# Killed at every point


class Killed(BaseException):
    """The process died here."""


@pytest.mark.parametrize("before", [True, False])
def test_killed_around_any_transaction(tmp_path: Path, before: bool) -> None:
    """Dies at the k-th transaction, for every k, without any cleaning up, and goes on."""
    goals = GOALS.replace("samples 5", "samples 2")
    expected = plain(study(tmp_path / "whole", space(goals)))
    real = store.Store._transaction
    count = 0

    def run_until(folder: Path, k: int) -> bool:
        nonlocal count
        count = 0

        def guarded(self: store.Store, kind: str = "IMMEDIATE") -> Any:
            nonlocal count
            if kind == "DEFERRED":
                return real(self, kind)
            count += 1
            # Once dead it stays dead: no clean-up reaches the store either.
            if count > k or (before and count == k):
                raise Killed
            context = real(self, kind)
            if count == k:
                return _dies_after(context)
            return context

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store.Store, "_transaction", guarded)
            try:
                study(folder, space(goals))
            except Killed:
                return True
            return False

    k, killed = 1, True
    while killed:
        folder = tmp_path / f"at{k}"
        folder.mkdir()
        store.create(folder, {"name": "tiny"})
        killed = run_until(folder, k)
        if killed:
            again = study(folder, space(goals))
            assert plain(again) == expected
        k += 1
    assert k > 2 * len(expected), "each trial takes two transactions"


class _dies_after:
    """A transaction that is committed, and nothing after it happens."""

    def __init__(self, context: Any):
        self._context = context

    def __enter__(self) -> Any:
        return self._context.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)
        if error[0] is None:
            raise Killed


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_moments(tmp_path: Path, workers: int) -> None:
    """Start, kill after a while, resume, until it ends: the table is that of an uncut run."""
    many = GOALS.splitlines()[0] + "\nsearch na_random { samples 12, seed 7 }\n"
    expected = plain(study(tmp_path / "whole", space(many)))
    folder = tmp_path / "cut"
    draw = random.Random(workers)
    command = [sys.executable, "-m", "tests.study.worked", str(folder), str(workers), "0.06"]
    kills = 0
    for _ in range(200):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        if kills < 10:
            _wait_for_progress(process, folder, draw.uniform(0.0, 0.35))
        else:
            process.wait()
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, errors = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), errors.decode()
        if process.returncode == 0:
            break
    assert kills == 10, "it ended before it was killed ten times: it must take longer"
    assert table(folder) == expected


def _wait_for_progress(process: subprocess.Popen[bytes], folder: Path, seconds: float) -> None:
    """Waits until the process has the store, and a while more."""
    journal = folder / "study.lock"
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 30:
        try:
            held = str(process.pid) in journal.read_text()
        except OSError:
            held = False
        if held:
            time.sleep(seconds)
            return
        time.sleep(0.005)


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
