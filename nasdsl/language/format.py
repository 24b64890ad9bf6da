"""The one standard form of a text.

Only blanks and line ends change: the words and comments of the result are those of the text,
in their order, which is verified before a text is given back. Layout follows the author where
two forms are good: a list on one line stays there if it fits, a chain over several lines keeps
its lines, an empty line stays (at most one).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from lark import Lark, Token, Tree

from nasdsl.diagnostics import DiagnosticError, Source, errors
from nasdsl.language.format_layout import HARD, STEP, WIDTH, Indent, Layout, Leaf, Row, render, row
from nasdsl.language.format_rules import BROKEN, Rules
from nasdsl.language.format_words import Remark, Word, read_words
from nasdsl.language.grammar import build_parser
from nasdsl.language.parser import parse

_PORTS = frozenset({"input", "output"})
_SETTINGS = frozenset({"data", "train", "objective", "best", "search", "report"})
_OPERATORS = frozenset({">>", "+", "++", "-", "*", "/", "//", "%", "and", "or"})
_OPERAND_ENDS = frozenset({"NAME", "INTEGER", "NUMBER", "STRING", "TRUE", "FALSE"})


def format_text(text: str, name: str = "<text>") -> str:
    """A text in the standard form, lines ended by ``\\n``, at most 100 columns where possible.

    Formatting again changes nothing, and the meaning is that of the text: the same words in
    the same order. Raises :class:`~nasdsl.diagnostics.DiagnosticError` for a text that does
    not parse.
    """
    read = _read(Source(name, text))
    result = render(_layout(read))
    if result == text:
        return result
    again = _read(Source(name, result))
    if again.content() != read.content():
        raise AssertionError("the formatter changed more than blanks")
    return result


@dataclass(frozen=True)
class _Statement:
    tree: Tree[Token]
    base: int
    """Offset of the statement's own text."""


@dataclass(frozen=True)
class _Read:
    statements: tuple[_Statement, ...]
    words: tuple[tuple[Word, ...], ...]
    """Those of each statement."""
    rest: tuple[Remark, ...]
    """Comments after the last statement."""

    def content(self) -> tuple[list[str], list[str]]:
        """Everything that formatting must keep: the words, and the comments."""
        words = [w for own in self.words for w in own]
        remarks = [r for w in words for r in (*w.before, *([w.after] if w.after else []))]
        return [w.text for w in words], [r.text for r in [*remarks, *self.rest]]


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return build_parser(None)


@lru_cache(maxsize=64)
def _tree(statement: str) -> Tree[Token]:
    """The tree of a statement's text, which nothing changes: a text is read again when done."""
    return _parser().parse(statement)


def _read(source: Source) -> _Read:
    """The statements of a text as the parser's trees, and its words."""
    parsed = parse(source)
    wrong = errors(parsed.problems)
    if wrong:
        raise DiagnosticError(wrong)
    statements = tuple(_Statement(_tree(s.span.text), s.span.start) for s in parsed.statements)
    tokens = [list(_tokens(s)) for s in statements]
    words, rest = read_words(source.text, [t for own in tokens for t in own])
    kept = iter(_operators_without_remarks(words))
    return _Read(statements, tuple(tuple(next(kept) for _ in own) for own in tokens), rest)


def _tokens(statement: _Statement) -> Iterator[Token]:
    """The tokens of a statement in their order, with offsets into the whole text."""
    stack: list[Tree[Token] | Token] = [statement.tree]
    while stack:
        top = stack.pop()
        if isinstance(top, Tree):
            stack.extend(reversed(top.children))
            continue
        start, end = top.start_pos or 0, top.end_pos or 0
        yield Token(top.type, str(top), statement.base + start, end_pos=statement.base + end)


def _operators_without_remarks(words: Sequence[Word]) -> list[Word]:
    """An operator leads its line, so a comment behind one belongs to the operand before it."""
    kept = list(words)
    for at in range(1, len(kept)):
        remark = kept[at].after
        if remark is None or kept[at].text not in _OPERATORS:
            continue
        if kept[at - 1].kind not in _OPERAND_ENDS and kept[at - 1].text not in (")", "]", "}"):
            continue  # a sign
        kept[at] = replace(kept[at], after=None)
        if kept[at - 1].after is None and not kept[at].before:
            kept[at - 1] = replace(kept[at - 1], after=remark)
            kept[at] = replace(kept[at], fresh=True)
        else:
            moved = replace(remark, blank=False)
            kept[at] = replace(kept[at], before=(*kept[at].before, moved), fresh=True)
    return kept


def _layout(read: _Read) -> Layout:
    """The layout of a whole text."""
    tails, words = _tails(read)
    found: dict[int, Word] = {}
    for statement, own in zip(read.statements, words, strict=True):
        for token, word in zip(_tokens(statement), own, strict=True):
            found[token.start_pos or 0] = word
    rules = Rules(found)
    paddings = _paddings(read.statements, words, rules)
    parts: list[Layout] = []
    for number, statement in enumerate(read.statements):
        padding = paddings.get(number, 0)
        parts.append(rules.statement(statement.tree, statement.base, padding))
        parts.append(HARD)
        if tails[number]:
            remarks = Leaf(Word("", "", before=tails[number]))
            parts += [Indent(STEP, remarks), HARD]
    rest = read.rest[len(tails[-1]) :] if tails else read.rest
    return Row(*parts, Leaf(Word("", "", before=rest))) if rest else row(parts)


def _tails(read: _Read) -> tuple[list[tuple[Remark, ...]], list[tuple[Word, ...]]]:
    """Comments that belong to the end of each statement, and the words without these.

    An indented comment that follows a statement without an empty line is part of it: most
    often it is an alternative, step or setting that the author has switched off.
    """
    tails: list[tuple[Remark, ...]] = []
    words = [list(own) for own in read.words]
    rest = read.rest
    for number in range(len(words)):
        last = number + 1 == len(words)
        below = rest if last else words[number + 1][0].before
        count = 0
        while count < len(below) and below[count].column and not below[count].blank:
            count += 1
        tails.append(below[:count])
        if not last:
            words[number + 1][0] = replace(words[number + 1][0], before=below[count:])
    return tails, [tuple(own) for own in words]


def _family(statement: _Statement) -> str | None:
    """Statements of one family, line under line, have their parts in columns."""
    kind = str(statement.tree.data)
    if kind in _PORTS:
        return "ports"
    if kind in _SETTINGS:
        return "settings"
    if kind == "let" and str(statement.tree.children[-2]) == "in":
        return "let"
    return None


def _paddings(
    statements: Sequence[_Statement], words: Sequence[Sequence[Word]], rules: Rules
) -> dict[int, int]:
    """How wide the keyword of each statement is made."""
    paddings: dict[int, int] = {}
    runs: list[list[int]] = []
    for number, statement in enumerate(statements):
        family = _family(statement)
        if family is None:
            continue
        first = words[number][0]
        apart = first.blank or any(r.blank for r in first.before)
        adjacent = bool(runs) and runs[-1][-1] == number - 1 and not apart
        if adjacent and _family(statements[number - 1]) == family:
            runs[-1].append(number)
        else:
            runs.append([number])
    for run in runs:
        # A statement that does not fit on one line when filled stays out of the column; if it
        # is a block of settings, it is broken into lines.
        members: list[int] = []
        left, width = run, 0
        while left != members:
            members = left
            heads = [rules.keyword(statements[n].tree, statements[n].base) for n in members]
            width = max(heads, default=0)
            left = [n for n in members if _fits(statements[n], rules, width)]
        paddings.update(
            dict.fromkeys(run, BROKEN) if _family(statements[run[0]]) == "settings" else {}
        )
        paddings.update(dict.fromkeys(members, width))
    return paddings


def _fits(statement: _Statement, rules: Rules, width: int) -> bool:
    layout = rules.statement(statement.tree, statement.base, width)
    return not layout.breaks and layout.width <= WIDTH
