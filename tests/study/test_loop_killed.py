"""A study that is killed goes on where it was."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nasdsl.study import store
from tests.study.worked import (
    GOALS,
    plain,
    space,
    study,
    table,
)

ROOT = Path(__file__).parents[2]


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
