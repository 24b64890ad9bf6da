"""A text as the editor services see it: its statements, its names, and where one is in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from nasdsl.diagnostics import Source, Span
from nasdsl.editor.positions import Encoding, Positions
from nasdsl.editor.symbols import Index, index
from nasdsl.language import syntax as s
from nasdsl.language.parser import STATEMENTS, Tree, parse

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*) | (?P<string>"(?:[^"\\\n]|\\.)*"?)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[kMGT]?)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<mark><->|->|>>|\+\+|\.\.|[=<>!]=|//|[^\s\w])""",
    re.VERBOSE,
)
_BEGINS = re.compile(rf"^(?:{'|'.join(STATEMENTS)})\b", re.MULTILINE)
_PREFIX = re.compile(r"[A-Za-z_]\w*\Z")
_CLOSING = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Bracket:
    """A bracket that is open at a place.

    ``head`` is the word before it (``sgd`` of ``sgd(``), ``before`` how many of the tokens
    stand before it.
    """

    mark: str
    head: str
    before: int


@dataclass(frozen=True)
class Place:
    """Where in a text the author is writing.

    Attributes:
        statement: the word that began the statement, empty outside of one.
        start: offset of the statement.
        prefix: the beginning of the word that is being written.
        tokens: those of the statement before that word.
        brackets: those that are open, outermost first.
        inside: whether in a comment or in a text in quotes.
        fresh: nothing but blanks stands before the word in its line.
    """

    statement: str
    start: int
    prefix: str
    tokens: tuple[str, ...]
    brackets: tuple[Bracket, ...]
    inside: str
    fresh: bool

    @property
    def last(self) -> str:
        """The token before the word that is being written."""
        return self.tokens[-1] if self.tokens else ""

    @property
    def bracket(self) -> Bracket | None:
        """The innermost open bracket."""
        return self.brackets[-1] if self.brackets else None

    @property
    def argument(self) -> tuple[str, ...]:
        """The tokens of the argument, entry or line that is being written."""
        start, depth = 0, 0
        opened = self.bracket.before + 1 if self.bracket else 0
        for at, token in enumerate(self.tokens[opened:], opened):
            if token in ("(", "[", "{"):
                depth += 1
            elif token in _CLOSING:
                depth -= 1
            elif token == "," and depth == 0:
                start = at + 1
        return self.tokens[max(start, opened) :]


@dataclass(frozen=True)
class Document:
    """A text with what has been worked out of it."""

    name: str
    text: str
    encoding: Encoding = "utf-16"

    @cached_property
    def positions(self) -> Positions:
        """Places of the text as the editor counts them."""
        return Positions(self.text, self.encoding)

    @cached_property
    def tree(self) -> Tree:
        """The statements that can be read."""
        return parse(Source(self.name, self.text))

    @cached_property
    def index(self) -> Index:
        """The names."""
        return index(self.tree.statements)

    def statement_at(self, offset: int) -> s.Statement | None:
        """The statement around an offset."""
        for statement in self.tree.statements:
            if statement.span.start <= offset <= statement.span.end:
                return statement
        return None

    def expressions_at(self, offset: int) -> list[s.Syntax]:
        """The syntax around an offset, innermost first."""
        statement = self.statement_at(offset)
        if statement is None:
            return []
        around = [p for p in statement.walk() if p.span.start <= offset <= p.span.end]
        return sorted(around, key=lambda p: p.span.end - p.span.start)

    def remarks(self, span: Span) -> str:
        """The comment directly above the statement at a span, or behind it on its line."""
        lines = self.text[: span.start].split("\n")[:-1]
        above: list[str] = []
        while lines and lines[-1].lstrip().startswith("#"):
            above.insert(0, lines.pop().strip().lstrip("#").strip())
        # The comment at the head of a file is about the file.
        if above and any(line.strip() for line in lines):
            return " ".join(above)
        end = self.text.find("\n", span.end)
        rest = self.text[span.end : end if end >= 0 else len(self.text)].strip()
        return rest.lstrip("#").strip() if rest.startswith("#") else ""

    def place(self, offset: int) -> Place:
        """Where an offset is, read from the text alone, which may be broken."""
        begun = [m.start() for m in _BEGINS.finditer(self.text, 0, offset)]
        start = begun[-1] if begun else 0
        before = self.text[start:offset]
        tokens: list[str] = []
        brackets: list[Bracket] = []
        inside = ""
        for match in _TOKEN.finditer(before):
            kind, token = match.lastgroup or "", match.group()
            closed = kind == "string" and len(token) > 1 and token.endswith('"')
            if match.end() == len(before) and (
                kind == "comment" or (kind == "string" and not closed)
            ):
                inside = kind
            if kind == "comment":
                continue
            if token in _CLOSING.values():
                head = tokens[-1] if tokens and re.fullmatch(r"[A-Za-z_]\w*", tokens[-1]) else ""
                brackets.append(Bracket(token, head, len(tokens)))
            elif token in _CLOSING and brackets:
                brackets.pop()
            tokens.append(token)
        found = _PREFIX.search(before)
        prefix = found.group() if found and not inside else ""
        if prefix:
            tokens.pop()
        line = before[: len(before) - len(prefix)].rpartition("\n")[2]
        word = tokens[0] if begun and tokens else ""
        return Place(word, start, prefix, tuple(tokens), tuple(brackets), inside, not line.strip())
