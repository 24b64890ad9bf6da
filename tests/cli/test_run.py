"""``run`` and what it leaves, from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Answer, Call, wide


def timeless(answer: Answer) -> list[dict[str, Any]]:
    """The trial table without its times."""
    return [{k: v for k, v in r.items() if k != "timing"} for r in answer.records]


def test_a_run_from_its_text_to_its_report(call: Call, small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    answer = call("run", small, "-o", folder, "--json")
    assert (answer.code, answer.err) == (0, "")
    summary = answer.record
    assert summary["folder"] == str(folder)
    assert summary["trials"] == {"complete": 3, "failed": 0}
    assert (folder / "space.nas").read_bytes() == small.read_bytes()
    assert Path(summary["report"]).read_text().startswith("<!")
    files = {path.name for path in (folder / "best").iterdir()}
    assert files >= {"architecture.json", "model.py", "weights.safetensors", "metrics.json"}

    trials = call("trials", folder, "--json").records
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    assert summary["best"] in summary["front"]
    best = json.loads((folder / "best" / "architecture.json").read_text())
    assert best["fingerprint"] == trials[summary["best"]]["fingerprint"]
    assert call("show", small, folder / "best" / "architecture.json", "--json").code == 0
    # what a run records, score measures again
    for trial in trials:
        scored = call("score", small, trial["rank"], "--json").records
        assert {r["metric"]: r["value"] for r in scored} == trial["objectives"]


def test_a_run_for_a_person(call: Call, small: Path, tmp_path: Path) -> None:
    answer = call("run", small, "-o", tmp_path / "r")
    assert answer.code == 0
    assert answer.err.count("trial ") >= 3
    assert "3 complete" in answer.out
    assert str(tmp_path / "r" / "report.html") in answer.out
    quiet = call("-q", "run", small, "-o", tmp_path / "q")
    assert (quiet.code, quiet.err) == (0, "")
    assert quiet.out.replace("/q", "/r") == answer.out


def test_runs_are_numbered(
    call: Call, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        answer = call("run", small, "--json", "--set", "search.samples=1")
        assert answer.record["folder"] == f"runs/small-{number}"


def test_overrides_are_kept_for_a_resumed_run(call: Call, small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    call("run", small, "-o", folder, "--set", "search.samples=5", "--trials", "2", "-q")
    assert len(call("trials", folder, "--json").records) == 2
    answer = call("run", "--resume", folder, "--trials", "4", "--json")
    assert answer.code == 0
    assert len(call("trials", folder, "--json").records) == 4
    whole = tmp_path / "whole"
    call("run", small, "-o", whole, "--set", "search.samples=5", "--trials", "4", "-q")
    assert timeless(call("trials", folder, "--json")) == timeless(call("trials", whole, "--json"))


def test_the_report_is_written_anew(call: Call, small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    call("run", small, "-o", folder, "--set", "search.samples=1", "-q")
    (folder / "report.html").unlink()
    assert call("report", folder).out == f"{folder / 'report.html'}\n"
    assert call("report", folder, "--json").record == {"report": str(folder / "report.html")}
    assert (folder / "report.html").stat().st_size > 1000


def test_a_run_in_which_nothing_succeeds_ends_with_3(
    call: Call, small: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    answer = call("run", small, "-o", folder, "--set", "train.sgd.lr=1e30", "--json")
    assert answer.code == 3
    summary = answer.record
    assert summary["trials"] == {"complete": 0, "failed": 3}
    assert (summary["front"], summary["best"]) == ([], None)
    for trial in call("trials", folder, "--json").records:
        assert trial["state"] == "failed"
        assert trial["reason"].startswith("diverged at step")
    text = call("trials", folder).out
    assert "diverged at step" in text
    assert not wide(text)
    assert call("run", "--resume", folder).code == 3


def test_folders_that_cannot_be_used(call: Call, small: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    for arguments in (
        ("run", small, "-o", tmp_path / "full"),
        ("run", small, "-o", tmp_path / "full" / "thesis.tex"),
        ("run", "--resume", tmp_path / "full"),
        ("run", "--resume", tmp_path / "none"),
    ):
        answer = call(*arguments, "--json")
        assert (answer.code, answer.out, len(answer.codes)) == (1, "", 1)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "x.nas", "--resume", "y"],
        ["run", "--resume", "y", "-o", "z"],
        ["run", "--resume", "y", "--set", "a=b"],
        ["run", "x.nas", "--workers", "0"],
        ["run", "x.nas", "--trials", "0"],
        ["run", "x.nas", "--device", "tpu"],
    ],
    ids=" ".join,
)
def test_arguments_that_do_not_fit(arguments: list[str], call: Call) -> None:
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "Usage: nasdsl run" in answer.err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_stops_cleanly_and_the_run_can_go_on(
    call: Call, small: Path, tmp_path: Path
) -> None:
    settings = ("--set", "search.samples=8", "--set", "train.epochs=20")
    folder, whole = tmp_path / "run", tmp_path / "whole"
    command = [sys.executable, "-m", "nasdsl", "run", str(small), "-o", str(folder), *settings]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    process.stderr.readline()  # the first trial has ended
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert f"nasdsl run --resume {folder}" in err
    states = [trial["state"] for trial in call("trials", folder, "--json").records]
    assert "complete" in states
    assert "running" not in states
    assert len([state for state in states if state == "complete"]) < 8

    assert call("run", "--resume", folder, "-q").code == 0
    assert call("run", small, "-o", whole, *settings, "-q").code == 0
    assert timeless(call("trials", folder, "--json")) == timeless(call("trials", whole, "--json"))
