"""``trials`` on a store whose facts are written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasdsl.study.records import CenterFact, LinkFact, Measured, Subject, TrialFact
from nasdsl.study.store import create, resume
from tests.cli.conftest import Call, wide

FIELDS = ("number", "rank", "decisions", "fingerprint", "state", "reason", "objectives", "seed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A center with a neighbor outside the space, a failed center, and one that waits."""
    huge = 2 * 10**19
    subjects = [
        Subject("aa", huge, {"width": 16, "inputs": (0, 2)}),
        Subject("bb", None, None, network={"nodes": []}),
        Subject("cc", 2, {"width": 8, "inputs": ()}),
        Subject("dd", 3, {"width": 8, "inputs": (1,)}),
    ]
    create(tmp_path, {"name": "hand"})
    with resume(tmp_path) as store:
        store.plan(
            [
                TrialFact(0, subjects[0], 11, 0),
                TrialFact(1, subjects[1], 12, 0, "cut"),
                TrialFact(2, subjects[2], 13, 1),
                TrialFact(3, subjects[3], 14, 2),
            ],
            [
                CenterFact(0, 0, subjects[0], 0),
                CenterFact(1, 1, subjects[2], 2),
                CenterFact(2, 2, subjects[3], 3),
            ],
            [LinkFact(0, "samples=1 radius=1", 0, "cut", subjects[1], 1)],
        )
        for number, measured in (
            (0, Measured("complete", None, {"accuracy": 87.5, "params": 12345})),
            (1, Measured("complete", None, {"accuracy": 80.0, "params": 1})),
            (2, Measured("failed", "diverged at step 12: loss is nan")),
        ):
            store.start(number, {"attempt": 1})
            store.finish(number, measured, {"attempt": 1, "seconds": 1.25})
        store.judge(
            {
                0: Measured("complete", None, {"flatness.neighborhood": 83.75}),
                1: Measured("failed", "diverged at step 12: loss is nan"),
            }
        )
    return tmp_path


def test_one_object_a_line_in_the_order_of_the_trials(call: Call, folder: Path) -> None:
    answer = call("trials", folder, "--json")
    assert (answer.code, answer.err) == (0, "")
    records = answer.records
    assert [{name: record[name] for name in FIELDS} for record in records] == [
        {
            "number": 0,
            "rank": 2 * 10**19,
            "decisions": {"width": 16, "inputs": [0, 2]},
            "fingerprint": "aa",
            "state": "complete",
            "reason": None,
            "objectives": {"accuracy": 87.5, "params": 12345, "flatness.neighborhood": 83.75},
            "seed": 11,
        },
        {
            "number": 1,
            "rank": None,
            "decisions": None,
            "fingerprint": "bb",
            "state": "complete",
            "reason": None,
            "objectives": {"accuracy": 80.0, "params": 1},
            "seed": 12,
        },
        {
            "number": 2,
            "rank": 2,
            "decisions": {"width": 8, "inputs": []},
            "fingerprint": "cc",
            "state": "failed",
            "reason": "diverged at step 12: loss is nan",
            "objectives": {},
            "seed": 13,
        },
        {
            "number": 3,
            "rank": 3,
            "decisions": {"width": 8, "inputs": [1]},
            "fingerprint": "dd",
            "state": "queued",
            "reason": None,
            "objectives": {},
            "seed": 14,
        },
    ]
    assert records[0]["timing"]["seconds"] == 1.25
    assert (records[1]["role"], records[1]["center"], records[1]["edit"]) == ("neighbor", 0, "cut")


def test_a_table_for_a_person(call: Call, folder: Path) -> None:
    lines = call("trials", folder).out.splitlines()
    assert lines[0].split() == [
        *("trial", "state", "rank", "accuracy", "params", "flatness.neighborhood", "seconds")
    ]
    assert lines[2].split() == ["1", "complete", "outside", "80", "1", "-", "1.2"]
    assert lines[4].strip() == "diverged at step 12: loss is nan"
    assert lines[5].split() == ["3", "queued", "#3", "-", "-", "-", "-"]
    text = call("trials", folder, "-v").out
    assert "width = 16, inputs = {0, 2}" in text
    assert not wide(text)


def test_a_folder_without_a_run(call: Call, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        for verb in ("trials", "report"):
            answer = call(verb, place, "--json")
            assert (answer.code, answer.out) == (1, "")
            assert len(answer.codes) == 1
    assert list(tmp_path.iterdir()) == []
