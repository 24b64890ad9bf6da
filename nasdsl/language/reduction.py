"""What every reduction of the parser needs: places, children by kind, depth."""

from __future__ import annotations

from typing import Any, TypeVar

from lark import Token

from nasdsl.diagnostics import Diagnostic, DiagnosticError, Source, Span
from nasdsl.language import syntax as s

MAX_DEPTH = 150

T = TypeVar("T")
Made = TypeVar("Made", bound=s.Syntax)


class Part:
    """An intermediate list of the grammar with its place."""

    __slots__ = ("items", "span")

    def __init__(self, items: list[Any], span: Span):
        self.items = items
        self.span = span


class Reduction:
    """One text being reduced: the places of its parts, and how deep they are nested."""

    def __init__(self) -> None:
        self.source = Source("", "")
        self.base = 0
        self.problems: list[Diagnostic] = []
        self._depth: dict[int, int] = {}

    def start(self, source: Source, base: int) -> None:
        """Begin a statement whose text starts at an offset of the source."""
        self.source = source
        self.base = base
        self._depth.clear()

    def place(self, token: Token) -> Span:
        """The place of a token in the whole text."""
        return Span(
            self.source, self.base + (token.start_pos or 0), self.base + (token.end_pos or 0)
        )

    def _span(self, children: list[Any]) -> Span:
        first, last = children[0], children[-1]
        start = self.place(first) if isinstance(first, Token) else first.span
        end = self.place(last) if isinstance(last, Token) else last.span
        return Span(self.source, start.start, end.end)

    def _deep(self, made: Made, *below: s.Syntax) -> Made:
        depth = 1 + max((self._depth.get(id(b), 0) for b in below), default=0)
        if depth > MAX_DEPTH:
            raise DiagnosticError(
                [
                    Diagnostic(
                        "NAS005",
                        f"expressions are nested more than {MAX_DEPTH} deep here; "
                        "name a part with 'block' or 'let'",
                        made.span,
                    )
                ]
            )
        self._depth[id(made)] = depth
        return made

    def _ident(self, token: Token) -> s.Ident:
        return s.Ident(self.place(token), str(token))

    @staticmethod
    def _of(kind: type[T], children: list[Any]) -> list[T]:
        return [c for c in children if isinstance(c, kind)]

    @staticmethod
    def _token(children: list[Any], *types: str) -> Token | None:
        for c in children:
            if isinstance(c, Token) and c.type in types:
                return c
        return None

    def _parts(self, children: list[Any], kind: type[T]) -> tuple[T, ...]:
        for c in children:
            if isinstance(c, Part) and (not c.items or isinstance(c.items[0], kind)):
                return tuple(c.items)
        return ()

    def _list(self, children: list[Any]) -> Part:
        items = [c for c in children if not isinstance(c, Token)]
        return Part(items, self._span(children))
