"""The checking process: its reports, and that it is stopped where it takes too long."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.editor import analyst as analysts
from nasdsl.editor.analyst import Analyst, Report, Request
from nasdsl.editor.worker import reports, serve
from tests.editor.marked import TINY, reported

ASTRAL = 'space a "𝔘𝔘"  # 𝔘\ninput x[3] output y[2]\nnetwork = "𝔘" >> nothing\n'


def kinds(text: str) -> list[str]:
    return [r["kind"] for r in reported(text)]


def test_reports_come_quick_ones_first() -> None:
    assert kinds(TINY)[:2] == ["names", "all"] and kinds(TINY)[-1] == "facts"
    assert kinds("let a = (\n") == ["names", "all"]


def test_the_facts_are_those_of_the_space() -> None:
    facts = reported(TINY)[-1]
    space = analyze(Source("<text>", TINY)).space
    assert space is not None
    assert facts["info"] == space.info()
    for start, end, op, types in facts["shapes"]:
        assert 0 <= start < end <= len(TINY) and types
        assert op in TINY[start:end] or op in ("add", "sum", "input")


@pytest.mark.parametrize(("encoding", "column"), [("utf-16", 18), ("utf-32", 17), ("utf-8", 20)])
def test_places_are_those_of_the_editor(encoding: Any, column: int) -> None:
    found = next(r for r in reports(ASTRAL, "<text>", encoding) if r["kind"] == "all")
    unknown = next(d for d in found["diagnostics"] if "nothing" in d["message"])
    assert unknown["range"][:2] == [2, column] and unknown["file"] is None


def test_a_mistake_in_a_file_that_is_brought_in_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "inner.nas").write_text("let = 3\n")
    outer = tmp_path / "outer.nas"
    outer.write_text('use "inner.nas"\n')
    found = next(r for r in reports(outer.read_text(), str(outer), "utf-16") if r["kind"] == "all")
    inner = next(d for d in found["diagnostics"] if d["file"] is not None)
    assert inner["file"] == str(tmp_path / "inner.nas")
    assert inner["notes"][-1]["file"] is None and inner["notes"][-1]["range"][0] == 0


def test_requests_are_answered_in_order() -> None:
    asked = [
        {"id": n, "name": "<text>", "text": text, "encoding": "utf-16"}
        for n, text in enumerate(["let a = (\n", "let a = 1\n"])
    ]
    lines: list[str] = []
    serve(io.StringIO("".join(json.dumps(r) + "\n" for r in asked)), lines.append)
    assert [(r["id"], r["kind"]) for r in map(json.loads, lines)] == [
        (0, "names"), (0, "all"), (0, "end"), (1, "names"), (1, "all"), (1, "end"),
    ]  # fmt: skip


# ---- the process


def told(
    *requests: Request, wait: float = 0.0, until: str = "facts", **options: float
) -> list[tuple[Request, Report]]:
    """What an analyst tells of requests made one after another, until a kind of report."""
    heard: list[tuple[Request, Report]] = []

    async def go() -> None:
        done = asyncio.Event()

        def tell(request: Request, report: Report) -> None:
            heard.append((request, report))
            if report["kind"] == until and request is requests[-1]:
                done.set()

        analyst = Analyst(tell, **{"delay": 0.01, **options})
        for request in requests:
            analyst.submit(request)
            await asyncio.sleep(wait)
        await asyncio.wait_for(done.wait(), 60)
        await analyst.close()

    asyncio.run(go())
    return heard


def request(text: str, key: str = "a", version: int = 1) -> Request:
    return Request(key, version, "<text>", text)


def test_only_the_newest_text_is_checked() -> None:
    old, new = request("let a = 1\n"), request(TINY, version=2)
    heard = told(old, new)
    assert {r.version for r, _ in heard} == {2}


def test_texts_of_two_keys_are_both_checked() -> None:
    one, two = request("let a = (\n", "one"), request(TINY, "two")
    heard = told(one, two)
    assert {(r.key, report["kind"]) for r, report in heard} >= {("one", "all"), ("two", "all")}


SLEEPER = """
import json, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    def say(kind, **more):
        print(json.dumps({"id": asked["id"], "kind": kind, **more}), flush=True)
    say("names", diagnostics=[])
    if asked["text"] == "slow":
        time.sleep(600)
    if asked["text"] == "crash":
        raise RuntimeError("a bug")
    say("all", diagnostics=[])
    say("facts", info=None, choices=[], shapes=[])
    say("end")
"""


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checking process that can be slow, or fail, as it is asked to."""
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    monkeypatch.setattr(analysts, "COMMAND", (sys.executable, str(script)))


@pytest.mark.usefixtures("sleeper")
def test_a_check_that_takes_too_long_is_stopped_and_said() -> None:
    heard = told(request("slow"), until="slow", limit=0.5)
    assert [report["kind"] for _, report in heard] == ["names", "slow"]


@pytest.mark.usefixtures("sleeper")
def test_a_check_that_an_edit_made_useless_is_stopped() -> None:
    slow, quick = request("slow"), request("quick", version=2)
    heard = told(slow, quick, wait=0.6, patience=0.2)
    assert [(r.version, report["kind"]) for r, report in heard] == [
        (1, "names"), (2, "names"), (2, "all"), (2, "facts"),
    ]  # fmt: skip


@pytest.mark.usefixtures("sleeper")
def test_a_process_that_fails_is_told_with_its_trace_and_started_again() -> None:
    heard = told(request("crash"), request("quick", version=2), wait=2.0)
    kinds = [(r.version, report["kind"]) for r, report in heard]
    assert (1, "failed") in kinds and kinds[-1] == (2, "facts")
    trace = next(report["trace"] for _, report in heard if report["kind"] == "failed")
    assert "RuntimeError: a bug" in trace
