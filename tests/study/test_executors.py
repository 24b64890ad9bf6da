"""Executors: every way for a candidate to end is one outcome, and its neighbors' never change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.network import Network
from nasdsl.study.executors import TRIALS_PER_PROCESS, Executor, InProcess, Processes, Result, Task
from tests.study.outcomes import Poison, ends

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


@pytest.fixture
def two() -> Iterator[Processes]:
    executor = Processes(ends, 2, preload=())
    yield executor
    executor.stop()


def task(number: int, way: str = "", seed: int = 0) -> Task:
    return Task(number, Network((), (), way), seed, {"declared_params": 5.0})


def all_of(executor: Executor, tasks: list[Task]) -> dict[int, Result]:
    """Works through the tasks in order, as many at a time as there are slots."""
    waiting, at_work, found = list(tasks), 0, {}
    while waiting or at_work:
        while waiting and at_work < executor.slots:
            executor.submit(waiting.pop(0))
            at_work += 1
        for result in executor.wait():
            assert result.number not in found
            found[result.number] = result
            at_work -= 1
    return found


def pid_of(result: Result) -> int:
    assert result.measurement is not None
    return int(result.measurement.values["pid"].value)


def test_in_process_is_this_process() -> None:
    found = all_of(InProcess(ends), [task(0, seed=7), task(1, "fail")])
    assert pid_of(found[0]) == os.getpid()
    assert found[0].measurement is not None
    assert found[0].measurement.values["seed"].value == 7
    assert found[0].measurement.values["declared_params"].value == 5
    assert found[1].measurement is not None
    assert found[1].measurement.state == "failed"


def test_results_are_those_of_the_tasks(two: Processes) -> None:
    found = all_of(two, [task(n, seed=10 * n) for n in range(9)])
    for n, result in found.items():
        assert result.measurement is not None
        assert result.measurement.values["seed"].value == 10 * n
        assert result.reason is None
    assert os.getpid() not in {pid_of(r) for r in found.values()}


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("kill", "crashed: the process was ended by SIGKILL, as happens when memory runs out"),
        ("segfault", "crashed: the process was ended by SIGSEGV"),
        ("exit:3", "crashed: the process ended with exit code 3"),
        ("exit:0", "crashed: the process ended with exit code 0"),
    ],
)
def test_a_process_that_dies_is_its_own_trial_alone(two: Processes, way: str, reason: str) -> None:
    found = all_of(two, [task(0), task(1, way), task(2), task(3)])
    assert (found[1].measurement, found[1].reason) == (None, reason)
    for n in (0, 2, 3):
        assert found[n].measurement is not None


def test_out_of_memory_is_an_outcome() -> None:
    executor = Processes(ends, 1, preload=())
    try:
        found = all_of(executor, [task(0, "memory"), task(1)])
    finally:
        executor.stop()
    assert found[0].measurement is not None
    assert (found[0].measurement.state, found[0].measurement.reason) == ("failed", "out of memory")
    assert found[1].measurement is not None


def test_a_hanging_trial_is_ended_by_the_limit() -> None:
    executor = Processes(ends, 2, timeout=2.0, preload=())
    try:
        began = time.monotonic()
        found = all_of(executor, [task(0, "hang"), task(1), task(2), task(3, "hang")])
        assert time.monotonic() - began < 60
    finally:
        executor.stop()
    for n in (0, 3):
        assert (found[n].measurement, found[n].reason) == (None, "timeout: not done after 2 s")
    for n in (1, 2):
        assert found[n].measurement is not None


def test_a_process_serves_until_a_trial_fails() -> None:
    executor = Processes(ends, 1, preload=())
    try:
        found = all_of(executor, [task(0), task(1), task(2, "fail"), task(3)])
    finally:
        executor.stop()
    assert pid_of(found[0]) == pid_of(found[1])
    assert pid_of(found[3]) != pid_of(found[0])


def test_a_process_is_replaced_in_time() -> None:
    executor = Processes(ends, 1, preload=())
    try:
        found = all_of(executor, [task(n) for n in range(TRIALS_PER_PROCESS + 1)])
    finally:
        executor.stop()
    pids = [pid_of(found[n]) for n in range(TRIALS_PER_PROCESS + 1)]
    assert len(set(pids[:-1])) == 1
    assert pids[-1] != pids[0]


def test_a_process_that_dies_idle_costs_no_trial() -> None:
    executor = Processes(ends, 1, preload=())
    try:
        (first,) = all_of(executor, [task(0)]).values()
        process = psutil.Process(pid_of(first))
        process.kill()
        psutil.wait_procs([process], timeout=10)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        (second,) = all_of(executor, [task(1)]).values()
    finally:
        executor.stop()
    assert second.measurement is not None
    assert pid_of(second) != pid_of(first)


def test_a_bug_shows_its_traceback(two: Processes) -> None:
    two.submit(task(0, "bug"))
    with pytest.raises(RuntimeError, match="ZeroDivisionError: a bug of ours"):
        two.wait()


def test_what_the_user_must_know_ends_the_study(two: Processes) -> None:
    two.submit(task(0, "told"))
    with pytest.raises(DiagnosticError) as caught:
        two.wait()
    assert [d.code for d in caught.value.diagnostics] == ["NAS701"]


def test_processes_that_cannot_start_are_no_failed_trials() -> None:
    executor = Processes(Poison(), 1, preload=())
    try:
        executor.submit(task(0))
        with pytest.raises(DiagnosticError) as caught:
            executor.wait()
    finally:
        executor.stop()
    assert [d.code for d in caught.value.diagnostics] == ["NAS620"]
    assert "__main__" in caught.value.diagnostics[0].message


def _wait_for(path: Path) -> int:
    began = time.monotonic()
    while time.monotonic() - began < 30:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.01)
    raise AssertionError("the worker never began")


def _is_gone(pid: int) -> bool:
    began = time.monotonic()
    while time.monotonic() - began < 10:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_stop_ends_what_is_at_work(tmp_path: Path) -> None:
    executor = Processes(ends, 1, preload=())
    executor.submit(task(0, f"sleep:{tmp_path / 'pid'}"))
    pid = _wait_for(tmp_path / "pid")
    executor.stop()
    assert _is_gone(pid)


def test_workers_die_with_their_coordinator(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from tests.study.outcomes import ends\n"
        "from tests.study.test_executors import task\n"
        "from nasdsl.study.executors import Processes\n"
        "executor = Processes(ends, 1, preload=())\n"
        "executor.submit(task(0, 'sleep:' + sys.argv[1]))\n"
        "executor.wait()\n"
    )
    place = tmp_path / "pid"
    coordinator = subprocess.Popen([sys.executable, "-c", code, str(place)], cwd=ROOT)
    try:
        pid = _wait_for(place)
    finally:
        coordinator.kill()
        coordinator.wait()
    assert _is_gone(pid)
