"""Wrong texts end in diagnostics at the right places, whatever stands in them.

Each text in ``tests/cases/errors`` has beside it what is said of it; the places of the two
texts with several mistakes are also written out here by hand.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import nasdsl
from nasdsl.diagnostics import render

CASES = Path(__file__).parents[1] / "cases" / "errors"
TEXTS = sorted(CASES.glob("*.nas"))


def said(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(path.parent)
    return "\n".join(render(d) for d in nasdsl.check(Path(path.name))) + "\n"


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.stem)
def test_what_is_said_of_a_wrong_text(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert said(path, monkeypatch) == expected
    assert "error[" in expected


def places(name: str) -> list[tuple[str, int, int]]:
    found = nasdsl.check(CASES / name)
    return [(d.code, d.span.line, d.span.column) for d in found if d.span is not None]


def test_five_independent_mistakes_give_five_diagnostics() -> None:
    # An unknown operation, a missing argument, a wrong kind of value, shapes that do not fit,
    # an unknown setting.
    assert places("five_mistakes.nas") == [
        ("NAS101", 7, 16),
        ("NAS103", 9, 9),
        ("NAS228", 10, 17),
        ("NAS303", 13, 26),
        ("NAS401", 15, 9),
    ]


def test_mistakes_of_syntax_do_not_hide_each_other() -> None:
    # An open bracket, a bad number, a chain that ends, a missing comma, a misspelled word,
    # a missing comma between settings.
    assert places("five_syntax.nas") == [
        ("NAS004", 2, 12),
        ("NAS008", 4, 9),
        ("NAS003", 5, 26),
        ("NAS002", 7, 16),
        ("NAS007", 8, 1),
        ("NAS002", 9, 19),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "network = " + "(" * 100_000 + "x" + ")" * 100_000,
        "(" * 2_000_000,
        "let x = " + "-" * 50_000 + "1",
        "let x = " + "not " * 5_000 + "true",
        "let x = " + "if true then " * 5_000,
        "let x = 9" + "9" * 100_000,
        "let x = 9 ^ 9 ^ 9 ^ 9",
        "let x[i in 1..100000000000] = i",
        "\x00" * 1_000,
        "\n" * 500_000,
        'key "' + "{" * 10_000 + '"',
    ],
    ids=lambda t: t[:16].strip() or "blank",
)
def test_hostile_texts_end_in_diagnostics_soon(text: str) -> None:
    start = time.monotonic()
    found = nasdsl.check(f"{text}\n")
    assert any(d.severity == "error" for d in found)
    # Not a benchmark: without bounds these take minutes or never end.
    assert time.monotonic() - start < 60


def test_no_file_is_looked_for_under_a_name_that_is_none() -> None:
    found = nasdsl.check('use "a\0b.nas"\nuse "' + "x" * 5_000 + '"\n')
    assert {d.code for d in found if d.span and d.span.line < 3} >= {"NAS112"}
