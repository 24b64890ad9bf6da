"""The words of a text as the formatter sees them: tokens with the comments around them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lark import Token

from nasdsl.diagnostics import TAB_WIDTH

_TRIVIA = re.compile(r"#[^\n]*|\n")
_BLANKS = " \t\r\f"


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment, from its ``#`` to the end of its line.

    Attributes:
        text: without blanks at its end.
        column: where it stands in its line, from 0, tabs expanded.
        blank: an empty line stands directly before it.
    """

    text: str
    column: int
    blank: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A token and what stands between it and its neighbors.

    Attributes:
        text: as it is written.
        kind: the terminal's name in the grammar.
        before: comments on lines of their own above the token.
        after: the comment that ends the token's line.
        blank: an empty line stands directly above the token, below its comments.
        fresh: the token is the first on its line.
        glued: nothing at all stands between the token before and this one.
    """

    text: str
    kind: str
    before: tuple[Remark, ...] = ()
    after: Remark | None = None
    blank: bool = False
    fresh: bool = False
    glued: bool = False


def read_words(text: str, tokens: Iterable[Token]) -> tuple[list[Word], tuple[Remark, ...]]:
    """Tokens, which carry offsets into the text, as words; and the comments after the last."""
    words: list[Word] = []
    end = 0
    for token in tokens:
        start = token.start_pos or 0
        after, before, lines = _between(text, end, start)
        if after is not None and not words:
            before.insert(0, after)
            after = None
        if after is not None:
            words[-1] = _with_remark(words[-1], after)
        words.append(
            Word(
                str(token),
                token.type,
                before=tuple(before),
                blank=lines > 1,
                fresh=lines > 0 or not words,
                glued=start == end,
            )
        )
        end = token.end_pos or start
    after, rest, _ = _between(text, end, len(text))
    if after is not None and words:
        words[-1] = _with_remark(words[-1], after)
    elif after is not None:
        rest.insert(0, after)
    return words, tuple(rest)


def _with_remark(word: Word, remark: Remark) -> Word:
    return Word(word.text, word.kind, word.before, remark, word.blank, word.fresh, word.glued)


def _between(text: str, start: int, end: int) -> tuple[Remark | None, list[Remark], int]:
    """The comment that ends the line, those on lines of their own, and the line ends after."""
    after: Remark | None = None
    before: list[Remark] = []
    lines = 0
    for match in _TRIVIA.finditer(text, start, end):
        if match.group() == "\n":
            lines += 1
            continue
        line = text.rfind("\n", 0, match.start()) + 1
        column = len(text[line : match.start()].expandtabs(TAB_WIDTH))
        remark = Remark(match.group().rstrip(_BLANKS), column, lines > 1)
        if not lines and not before:
            after = remark
        else:
            before.append(remark)
        lines = 0
    # A comment and the end of its line count as one line end.
    return after, before, lines
