"""Runs that are killed, interrupted, refused, or out of luck, and go on after any end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nasdsl.study import store
from nasdsl.study.run import StudyResult, run
from tests.study.tiny_run import TEXT, nasdsl_run
from tests.study.worked import plain, table


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_and_resumed_is_the_same_run(whole: StudyResult, tmp_path: Path) -> None:
    folder, draw = tmp_path / "cut", random.Random(1)
    file = tmp_path / "tiny.nas"
    file.write_text(TEXT)
    kills = 0
    while True:
        begin = ("--resume", folder) if folder.exists() else (file, "-o", folder)
        process = nasdsl_run(*begin, "--workers", 1 + kills % 2, cwd=tmp_path)
        if kills < 2:
            _wait_until_writing(process, folder)
            time.sleep(draw.uniform(0, 0.6))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGKILL), errors
        if process.returncode == 0:
            break
    assert table(folder) == plain(list(whole.trials))
    assert json.loads((folder / "best" / "metrics.json").read_text()) == whole.figures
    assert kills >= 1
    # In the report only the times differ.
    assert (folder / "report.html").exists()


def _wait_until_writing(process: subprocess.Popen[str], folder: Path) -> None:
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 60:
        try:
            if f"process {process.pid} " in (folder / "study.lock").read_text():
                return
        except OSError:
            pass
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(
    whole: StudyResult, tmp_path: Path, workers: int
) -> None:
    folder = tmp_path / "cut"
    file = tmp_path / "tiny.nas"
    file.write_text(TEXT)
    process = nasdsl_run(
        file, "-o", folder, "--workers", workers, cwd=tmp_path, start_new_session=True
    )
    _wait_for_trials(process, folder, 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process gets it
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"nasdsl run --resume {folder}" in errors
    assert "Traceback" not in errors
    states = [row["state"] for row in table(folder)]
    assert "running" not in states
    assert "queued" in states or len(states) < len(whole.trials)
    resumed = run(resume=folder, progress="quiet")
    assert plain(list(resumed.trials)) == plain(list(whole.trials))


def _wait_for_trials(process: subprocess.Popen[str], folder: Path, n: int) -> None:
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 60:
        if (folder / store.NAME).exists():
            with store.view(folder) as facts:
                if sum(t.measured.state == "complete" for t in facts.trials()) >= n:
                    return
        time.sleep(0.01)


def test_a_second_run_in_the_folder_is_refused(whole: StudyResult) -> None:
    with store.resume(whole.folder):
        process = nasdsl_run("--resume", whole.folder)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "NAS602" in errors


def test_a_run_in_which_everything_diverges_ends_with_3(tmp_path: Path) -> None:
    file = tmp_path / "tiny.nas"
    file.write_text(TEXT.replace("sgd(lr=0.2)", "sgd(lr=1e30)"))
    process = nasdsl_run(file, "-o", tmp_path / "r", "--trials", 3, "--json")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 3, errors
    summary = json.loads(output)
    assert summary["trials"] == {"complete": 0, "failed": 3}
    assert (summary["front"], summary["best"]) == ([], None)
    rows = table(tmp_path / "r")
    assert all(row["reason"].startswith("diverged at step") for row in rows)
    assert all(set(row["objectives"]) == {"params"} for row in rows)
    assert "No trial has succeeded" in (tmp_path / "r" / "report.html").read_text()


def test_a_network_that_does_not_fit_into_memory_is_an_outcome(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    text = """space greedy
input image[1, 8, 8]
output logits[10]
network = global_avgpool >> linear(hidden) >> relu >> linear(10)
  where hidden in {8, 16, 2G}
data digits(train=100, validation=100)
train { epochs 1 }
objective { maximize accuracy }
search random { samples 3 }
"""
    file = tmp_path / "greedy.nas"
    file.write_text(text)
    limit = 6 * 2**30
    process = nasdsl_run(
        file,
        "-o",
        tmp_path / "r",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    found = {
        row["decisions"]["hidden"]: (row["state"], row["reason"]) for row in table(tmp_path / "r")
    }
    assert found == {
        8: ("complete", None),
        16: ("complete", None),
        2_000_000_000: ("failed", "out of memory"),
    }


CRASH = """
import os, signal, sys
from nasdsl.study import evaluator
from nasdsl.study.run import run

real = evaluator.Evaluator.__call__

def crashing(self, network, seed, facts=None, keep_weights=False, joined=False):
    if network.params == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, network, seed, facts, keep_weights, joined)

evaluator.Evaluator.__call__ = crashing

if __name__ == "__main__":
    options = {"resume": sys.argv[1]} if os.path.exists(sys.argv[1]) else {"out": sys.argv[1]}
    text = None if "resume" in options else open(sys.argv[3]).read()
    run(text, progress="quiet", **options)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_network_that_takes_the_process_down_is_given_one_of_its_own(
    whole: StudyResult, tmp_path: Path
) -> None:
    """It ends the run twice; the third time it ends itself alone, and the run goes on."""
    sizes = [t.objectives["params"] for t in whole.trials]
    fatal = next(t for t in whole.trials if sizes.count(t.objectives["params"]) == 1)
    (tmp_path / "crash.py").write_text(CRASH)
    (tmp_path / "tiny.nas").write_text(TEXT)
    command = [sys.executable, "crash.py", "r", str(fatal.objectives["params"]), "tiny.nas"]
    found = []
    for _ in range(3):
        done = subprocess.run(command, cwd=tmp_path, timeout=120, capture_output=True, text=True)
        found.append(done.returncode)
    assert found == [-signal.SIGKILL, -signal.SIGKILL, 0], done.stderr
    rows = table(tmp_path / "r")
    assert [row["fingerprint"] for row in rows] == [t.fingerprint for t in whole.trials]
    for row, expected in zip(rows, whole.trials, strict=True):
        if row["number"] == fatal.number:
            assert (row["state"], row["objectives"]) == ("failed", {})
            assert row["reason"].startswith("crashed: the process was ended by SIGKILL")
        else:
            assert row["objectives"]["accuracy"] == expected.objectives["accuracy"]
