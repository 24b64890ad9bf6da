"""Layouts: what may stand on one line and where lines may break, and how they are laid out.

In the manner of Wadler's "A prettier printer" (2003): a layout says how it looks on one line
and where it may break; a group stands on one line if it fits, and breaks otherwise. Comments
are part of the words, and force the breaks that they need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nasdsl.diagnostics import TAB_WIDTH
from nasdsl.language.format_words import Remark, Word

WIDTH = 100
STEP = 2
REMARK_GAP = 2

_OPENING = frozenset("([{=")
_CLOSING = frozenset(")]}")


class Layout:
    """Something to lay out.

    Attributes:
        width: characters on one line, comments apart.
        breaks: it cannot stand on one line.
        opens: it begins with a comment on a line of its own.
        closes: it ends with a comment, so that whatever follows stands on a new line.
        empty: it holds no word.
    """

    __slots__ = ("breaks", "closes", "empty", "opens", "width")

    def __init__(self, width: int = 0, *, breaks: bool = False, empty: bool = True):
        self.width = width
        self.breaks = breaks
        self.opens = False
        self.closes = False
        self.empty = empty


class Leaf(Layout):
    """A word."""

    __slots__ = ("word",)

    def __init__(self, word: Word):
        super().__init__(len(word.text), empty=False)
        self.word = word
        self.opens = bool(word.before)
        self.closes = word.after is not None or (not word.text and bool(word.before))


class Space(Layout):
    """Blanks: ``flat`` of them on one line, ``broken`` in a group that is broken."""

    __slots__ = ("broken", "flat")

    def __init__(self, flat: int = 1, broken: int | None = None):
        super().__init__(flat)
        self.flat = flat
        self.broken = flat if broken is None else broken


class Line(Layout):
    """A place to break: ``flat`` blanks on one line.

    ``hard`` breaks always. ``fill`` breaks, in a broken group, only if what follows up to the
    next place does not fit.
    """

    __slots__ = ("fill", "flat")

    def __init__(self, flat: int = 1, *, hard: bool = False, fill: bool = False):
        super().__init__(flat, breaks=hard)
        self.flat = flat
        self.fill = fill


class Row(Layout):
    """Layouts one after another."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Layout):
        super().__init__()
        self.parts: Sequence[Layout] = parts
        for part in parts:
            self.width += part.width
            self.breaks = self.breaks or part.breaks
            if part.empty:
                continue
            if self.empty:
                self.opens, self.empty = part.opens, False
            elif part.opens or self.closes:
                self.breaks = True
            self.closes = part.closes


class _Around(Layout):
    __slots__ = ("inner",)

    def __init__(self, inner: Layout):
        super().__init__(inner.width, breaks=inner.breaks, empty=inner.empty)
        self.inner = inner
        self.opens = inner.opens
        self.closes = inner.closes


class Indent(_Around):
    """New lines inside stand further right by ``by``."""

    __slots__ = ("by",)

    def __init__(self, by: int, inner: Layout):
        super().__init__(inner)
        self.by = by


class Hang(_Around):
    """New lines inside stand under the beginning."""

    __slots__ = ()


class Group(_Around):
    """On one line if it fits and ``broken`` does not say otherwise."""

    __slots__ = ()

    def __init__(self, inner: Layout, *, broken: bool = False):
        super().__init__(inner)
        self.breaks = self.breaks or broken


def row(parts: Iterable[Layout]) -> Row:
    """Layouts one after another, from any iterable."""
    return Row(*parts)


HARD = Line(hard=True)
SPACE = Space()


@dataclass(slots=True)
class _Written:
    """One line of the result."""

    text: str = ""
    remark: Remark | None = None
    own: bool = False
    """The line holds a comment only."""


@dataclass
class _Page:
    """The lines written so far; blanks are held back until a word follows them."""

    lines: list[_Written] = field(default_factory=lambda: [_Written()])
    pending: int = 0
    ended: bool = False
    """A comment has ended the line."""
    last: str = ""

    @property
    def fresh(self) -> bool:
        line = self.lines[-1]
        return self.ended or not (line.text or line.remark)

    def column(self, indent: int) -> int:
        return indent if self.fresh else len(self.lines[-1].text) + self.pending

    def newline(self) -> None:
        if not self.fresh or self.ended:
            self.lines.append(_Written())
        self.pending, self.ended = 0, False

    def blank(self) -> None:
        """One empty line, if something stands above."""
        if len(self.lines) > 1 and (self.lines[-2].text or self.lines[-2].remark):
            self.lines.insert(-1, _Written())

    def write(self, word: Word, indent: int) -> None:
        line = self.lines[-1]
        if (word.before or self.ended) and (line.text or line.remark):
            # A comment breaks the line where no break was foreseen. A word in the first column
            # could be taken for the beginning of a statement.
            indent = max(indent, STEP)
        for remark in word.before:
            self.newline()
            if remark.blank and self.last not in _OPENING:
                self.blank()
            self.lines[-1] = _Written(" " * indent, remark, own=True)
            self.ended = True
            self.last = "#"
        if not word.text:
            return
        if self.ended:
            self.newline()
        line = self.lines[-1]
        if not line.text:
            if word.blank and self.last not in _OPENING and word.text not in _CLOSING:
                self.blank()
            line = self.lines[-1]
            line.text = " " * indent
        else:
            line.text += " " * self.pending
        line.text += word.text
        self.pending, self.last = 0, word.text
        if word.after is not None:
            line.remark = word.after
            self.ended = True


def render(layout: Layout) -> str:
    """The text of a layout, its lines at most :data:`WIDTH` wide where that can be."""
    page = _Page()
    stack: list[tuple[int, bool, Layout]] = [(0, False, layout)]
    while stack:
        indent, flat, top = stack.pop()
        if isinstance(top, Leaf):
            page.write(top.word, indent)
        elif isinstance(top, Space):
            page.pending += top.flat if flat else top.broken
        elif isinstance(top, Line):
            breaks = not flat
            if breaks and top.fill and stack:
                after = (stack[-1][0], True, stack[-1][2])
                breaks = not _fits(page.column(indent) + top.flat, [after], stack, 1)
            if breaks or top.breaks:
                page.newline()
            else:
                page.pending += top.flat
        elif isinstance(top, Row):
            stack.extend((indent, flat, part) for part in reversed(top.parts))
        elif isinstance(top, Indent):
            stack.append((indent + top.by, flat, top.inner))
        elif isinstance(top, Hang):
            stack.append((page.column(indent), flat, top.inner))
        elif isinstance(top, Group):
            fits = not top.breaks and (
                flat or _fits(page.column(indent), [(indent, True, top.inner)], stack)
            )
            stack.append((indent, fits, top.inner))
    return _text(page.lines)


_Pending = tuple[int, bool, Layout]


def _fits(column: int, ahead: list[_Pending], stack: Sequence[_Pending], skip: int = 0) -> bool:
    """What is ahead, then on the stack, up to the next place to break, ends within the width."""
    left = len(stack) - skip
    while column <= WIDTH and (ahead or left):
        if not ahead:
            left -= 1
            ahead.append(stack[left])
        indent, flat, top = ahead.pop()
        if isinstance(top, Leaf):
            if top.opens:
                return True
            column += top.width
            if top.closes:
                break
        elif isinstance(top, Space):
            column += top.flat if flat else top.broken
        elif isinstance(top, Line):
            if not flat or top.breaks:
                break
            column += top.flat
        elif isinstance(top, Row):
            ahead.extend((indent, flat, part) for part in reversed(top.parts))
        elif isinstance(top, _Around):
            ahead.append((indent, flat, top.inner))
    return column <= WIDTH


def _text(lines: list[_Written]) -> str:
    """Lines with their comments, those of adjacent lines in one column."""
    columns: dict[int, int] = {}
    run: list[int] = []
    for number, line in enumerate([*lines, _Written()]):
        if line.remark is not None and not line.own:
            run.append(number)
            continue
        if run:
            column = _remark_column([lines[i] for i in run])
            columns.update(dict.fromkeys(run, column))
            run = []
    shown = []
    for number, line in enumerate(lines):
        text = line.text
        if line.remark is not None:
            text += " " * (columns.get(number, 0) - _shown(text)) + line.remark.text
        shown.append(text.rstrip(" ") if line.remark is None else text)
    return "\n".join(shown).strip("\n") + "\n" if any(shown) else ""


def _remark_column(run: list[_Written]) -> int:
    """Where the author has put the first, as long as the lines leave room; else close by."""
    close = max(_shown(line.text) for line in run) + REMARK_GAP
    remarks = [line.remark for line in run if line.remark is not None]
    column = max(close, remarks[0].column)
    return close if any(column + len(r.text) > WIDTH for r in remarks) else column


def _shown(text: str) -> int:
    """How wide a line is; a text in quotes may hold tabs."""
    return len(text.expandtabs(TAB_WIDTH))
