"""What a person sees of a run, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nasdsl.study.loop import Progress
from nasdsl.study.progress import Display, Live, Plain, clock, display, number
from nasdsl.study.records import Trial
from tests.study.worked import Failing, measured, plan_of, space, study


def rows_of(tmp_path: Path) -> list[Trial]:
    return study(tmp_path / "s", space())


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (12345, "12,345"), (7, "7"), (87.5, "87.50"), (0.125, "0.1250"), (26.0, "26.00")],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:00"), (75, "1:15"), (3725, "1:02:05")])
def test_stretches_of_time(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_plain_tells_every_trial_once_and_every_center_when_it_is_judged(tmp_path: Path) -> None:
    stream = io.StringIO()
    rows = study(tmp_path, space(), listener=Plain(stream))
    lines = stream.getvalue().splitlines()
    told = [int(m[1]) for line in lines if (m := re.match(r"trial (\d+) of \d+: ", line))]
    assert told == [row.number for row in rows]
    for row in rows:
        (line,) = (x for x in lines if x.startswith(f"trial {row.number} of"))
        assert f"accuracy {number(row.objectives['accuracy'])}" in line
        judged = [x for x in lines if x.startswith(f"center {row.number}:")]
        if row.role == "center":
            flat = number(row.objectives["flatness.neighborhood"])
            assert judged == [f"center {row.number}: flatness.neighborhood {flat}"] or (
                f"flatness.neighborhood {flat}" in line
            )
        else:
            assert judged == []


def test_plain_tells_the_reason_of_a_failure(tmp_path: Path) -> None:
    stream = io.StringIO()
    study(tmp_path, space(), Failing(w8=measured(accuracy=float("nan"))), listener=Plain(stream))
    assert "failed: accuracy is nan" in stream.getvalue()


def test_plain_does_not_repeat_what_a_resumed_study_has(tmp_path: Path) -> None:
    rows = study(tmp_path, space(), limit=6)
    stream = io.StringIO()
    study(tmp_path, space(), listener=Plain(stream))
    first, second, *_ = stream.getvalue().splitlines()
    assert first == f"{len(rows)} trials are there already"
    assert second.startswith(("trial 6 of", "center 4:"))


def live(rows: list[Trial], width: int, **options: Any) -> str:
    written = io.StringIO()
    console = Console(file=written, width=width, **options)
    shown = Live(plan_of(space()), "tiny in runs/tiny-1", 2, console, now=lambda: 5.0)
    shown(Progress(lambda: rows, len(rows) + 4, 8.0, 4))
    console.print(shown.render())
    return written.getvalue()


def test_live_shows_counts_times_best_and_front(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    text = live(rows, 100)
    assert f"{len(rows)} of {len(rows) + 4} trials" in text
    # 4 trials took 8 s, 4 are left for 2 workers.
    assert "about 0:04 remaining" in text
    assert "best" in text
    assert "Pareto front" in text
    assert f"{len(rows) - 1} " in text


@pytest.mark.parametrize("width", [80, 60])
def test_live_fits_the_terminal(tmp_path: Path, width: int) -> None:
    lines = live(rows_of(tmp_path), width).splitlines()
    assert max(map(len, lines)) <= width


def test_live_has_no_color_where_none_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(tmp_path)
    assert "\x1b[36" in live(rows, 80, force_terminal=True) or "\x1b[1;32m" in live(
        rows, 80, force_terminal=True
    )
    monkeypatch.setenv("NO_COLOR", "1")
    text = live(rows, 80, force_terminal=True)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", text)


def test_live_runs_through_a_study(tmp_path: Path) -> None:
    written = io.StringIO()
    console = Console(file=written, width=100, force_terminal=True)
    with Live(plan_of(space()), "tiny", 1, console) as shown:
        shown.say("a [bold]remark[/bold]")
        study(tmp_path, space(), listener=shown)
    text = written.getvalue()
    assert "a [bold]remark[/bold]" in text, "text of others is never markup"
    assert "Last trials" in text


def test_text_of_the_file_is_no_markup() -> None:
    row = Trial(
        0, "aa", 1, edit="[red]x", role="neighbor", center=0, state="failed", reason="[b]no"
    )
    text = live([row], 100)
    assert "[red]x" in text
    assert "[b]no" in text


def test_the_style_follows_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(space())
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert type(display("auto", plan, "x")) is Plain
    assert type(display("quiet", plan, "x")) is Display
    assert type(display("live", plan, "x")) is Live

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert type(display("auto", plan, "x")) is Live
    monkeypatch.setenv("TERM", "dumb")
    assert type(display("auto", plan, "x")) is Plain
