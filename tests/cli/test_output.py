"""Records, diagnostics, color."""

from __future__ import annotations

import io
import json

import pytest

from nasdsl.cli.output import Output, colored, json_text
from nasdsl.diagnostics import Diagnostic, Source, Span


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def diagnostic() -> Diagnostic:
    source = Source("x.nas", "space é\n  bad")
    return Diagnostic("NAS101", "a bad word", Span(source, 10, 13))


def test_json_is_one_ascii_line_with_exact_integers() -> None:
    text = json_text({"n": 2**70, "s": "é\n", "t": (1, 2), "m": {"a": None}})
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == {"n": 2**70, "s": "é\n", "t": [1, 2], "m": {"a": None}}


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text({"x": float("nan")})


def test_what_is_not_plain_data_is_a_bug() -> None:
    with pytest.raises(TypeError, match="object is not plain data"):
        json_text({"x": object()})


def test_diagnostics_are_colored_on_a_terminal_only(
    diagnostic: Diagnostic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal, pipe = Terminal(), io.StringIO()
    Output().diagnostics([diagnostic], terminal)
    Output().diagnostics([diagnostic], pipe)
    assert "\x1b[1;31merror[NAS101]\x1b[0m" in terminal.getvalue()
    assert "\x1b" not in pipe.getvalue()
    assert pipe.getvalue().startswith("error[NAS101]: a bad word\n --> x.nas:2:3\n")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_color_can_be_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colored(Terminal())
    monkeypatch.setenv(name, value)
    assert not colored(Terminal())


def test_an_empty_no_color_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "xterm")
    assert colored(Terminal())


def test_diagnostics_as_json_are_their_records(diagnostic: Diagnostic) -> None:
    stream = io.StringIO()
    Output(as_json=True).diagnostics([diagnostic], stream)
    (record,) = json.loads(stream.getvalue())["diagnostics"]
    assert record == {
        "code": "NAS101",
        "severity": "error",
        "message": "a bad word",
        "file": "x.nas",
        "line": 2,
        "column": 3,
        "end_line": 2,
        "end_column": 6,
        "notes": [],
        "fix": None,
    }


def test_warnings_are_for_a_person_only(
    diagnostic: Diagnostic, capsys: pytest.CaptureFixture[str]
) -> None:
    Output(quiet=True).warnings([diagnostic])
    Output(as_json=True).warnings([diagnostic])
    Output(quiet=True).remark("x")
    assert capsys.readouterr() == ("", "")
    Output().warnings([diagnostic])
    Output().remark("x")
    out, err = capsys.readouterr()
    assert out == ""
    assert "NAS101" in err and err.endswith("x\n")
