"""Places in a text, diagnostics about them, and their rendering.

Lines and columns are counted from 1, columns in characters (code points); an end column is
the one after the last character. Positions in a :class:`Span` are offsets into the text.
"""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Severity = Literal["error", "warning"]

TAB_WIDTH = 4
SHOWN_WIDTH = 72


@dataclass(frozen=True, eq=False)
class Source:
    """A text and the name under which it is reported (a path, or ``<text>``)."""

    name: str
    text: str

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        text = self.text
        at = text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = text.find("\n", at + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        line = bisect.bisect_right(self._starts, offset) - 1
        return line + 1, offset - self._starts[line] + 1

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column, clipped to the text."""
        line = min(max(line, 1), len(self._starts))
        return min(self._starts[line - 1] + max(column, 1) - 1, len(self.text))

    def line(self, number: int) -> str:
        """One line without its end."""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    @property
    def lines(self) -> int:
        """How many lines the text has."""
        return len(self._starts)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source: ``start`` inclusive, ``end`` exclusive, in characters."""

    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line of the first character, from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """The column of the first character, from 1."""
        return self.source.position(self.start)[1]

    @property
    def end_position(self) -> tuple[int, int]:
        """Line and column after the last character."""
        return self.source.position(self.end)

    @property
    def text(self) -> str:
        """What the span covers."""
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The stretch from this span's start to the other's end."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"


@dataclass(frozen=True, slots=True)
class Note:
    """A further remark on a diagnostic, with a place of its own where it has one."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell the author of a text.

    Attributes:
        code: ``NAS`` and three digits; each has a page in the documentation.
        severity: ``error`` stops the stage, ``warning`` does not.
        message: one sentence: what was found, and what was expected.
        span: the primary place, where there is one.
        notes: further places and remarks.
        fix: a text to put in the place of ``span``, where there is an evident one.
    """

    code: str
    message: str
    span: Span | None = None
    severity: Severity = "error"
    notes: tuple[Note, ...] = ()
    fix: str | None = None

    def record(self) -> dict[str, Any]:
        """The diagnostic as plain data, as ``--json`` prints it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            **_where(self.span),
            "notes": [{"message": note.message, **_where(note.span)} for note in self.notes],
            "fix": self.fix,
        }


def _where(span: Span | None) -> dict[str, Any]:
    if span is None:
        return dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    end_line, end_column = span.end_position
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": end_column,
    }


class DiagnosticError(Exception):
    """Raised where a text, a setting or an input of the user's cannot be used.

    ``diagnostics`` holds all that was found, errors first in the order of the text.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__("\n".join(f"{d.code}: {d.message}" for d in self.diagnostics))

    def __str__(self) -> str:
        return "\n".join(render(d) for d in self.diagnostics)

    def __reduce__(self) -> tuple[Any, ...]:
        return (DiagnosticError, (self.diagnostics,))


def problem(code: str, message: str, span: Span | None = None, *notes: Note) -> DiagnosticError:
    """An error of one diagnostic, to be raised."""
    return DiagnosticError([Diagnostic(code, message, span, notes=tuple(notes))])


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one most likely means, or none."""
    names = sorted(set(known))
    folded = {n.lower(): n for n in reversed(names)}
    if name.lower() in folded:
        return folded[name.lower()]
    # One letter of three is as much as two of six.
    cutoff = 0.7 if len(name) > 3 else 0.6
    found = difflib.get_close_matches(name, names, n=1, cutoff=cutoff)
    exchanged = (n for n in names if sorted(n) == sorted(name))
    return found[0] if found else next(exchanged, None)


def suggestion(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or nothing, to end a message with."""
    near = nearest(name, known)
    return f"; did you mean '{near}'?" if near else ""


def order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics without repetition, in the order of the text."""
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for d in diagnostics:
        key = (d.code, d.message, d.span and (d.span.source.name, d.span.start, d.span.end))
        if key not in seen:
            seen.add(key)
            kept.append(d)
    return sorted(
        kept,
        key=lambda d: (
            (d.span.source.name, d.span.start, d.span.end) if d.span else ("", -1, -1),
            d.severity,
        ),
    )


_STYLES = {"error": "1;31", "warning": "1;33", "note": "1;36", "gutter": "34", "bold": "1"}


def render(diagnostic: Diagnostic, color: bool = False) -> str:
    """The diagnostic as a person reads it: place, line, caret, notes.

    Tabs are shown as four spaces and a long line is cut around the place, so that the caret
    stands under the right character in a terminal of 80 columns.
    """

    def paint(style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color else text

    head = paint(diagnostic.severity, f"{diagnostic.severity}[{diagnostic.code}]")
    lines = [f"{head}: {paint('bold', diagnostic.message)}"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span, paint, diagnostic.severity)
    for note in diagnostic.notes:
        lines.append(f"  {paint('note', 'note')}: {note.message}")
        if note.span is not None:
            lines += _excerpt(note.span, paint, "note")
    if diagnostic.fix is not None:
        lines.append(f"  {paint('note', 'fix')}: write {diagnostic.fix}")
    return "\n".join(lines)


def _excerpt(span: Span, paint: Any, style: str) -> list[str]:
    line, column = span.source.position(span.start)
    end_line, end_column = span.end_position
    text = span.source.line(line)
    last = len(text) + 1 if end_line > line else end_column
    # Of a very long line only what may be shown is looked at.
    before = _shown(text[max(0, column - 1 - SHOWN_WIDTH) : column - 1])
    marked = _shown(text[column - 1 : min(last - 1, column - 1 + SHOWN_WIDTH)])
    after = _shown(text[last - 1 : last - 1 + SHOWN_WIDTH])
    cut = max(0, len(before) - SHOWN_WIDTH // 2)
    if cut or column - 1 > SHOWN_WIDTH:
        before = "…" + before[cut + 1 :]
    marked = marked[:SHOWN_WIDTH]
    room = max(0, SHOWN_WIDTH - len(before) - len(marked))
    shown = before + marked + (after if len(after) <= room else after[: max(0, room - 1)] + "…")
    number = str(line)
    pad = " " * len(number)
    bar = paint("gutter", "|")
    return [
        f"{pad}{paint('gutter', '-->')} {span}",
        f"{paint('gutter', number)} {bar} {shown.rstrip()}",
        f"{pad} {bar} {' ' * len(before)}{paint(style, '^' * max(1, len(marked)))}",
    ]


def _shown(text: str) -> str:
    text = text.replace("\t", " " * TAB_WIDTH)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def errors(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Those that stop the stage."""
    return [d for d in diagnostics if d.severity == "error"]
