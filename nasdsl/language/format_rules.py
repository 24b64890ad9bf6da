"""How statements are laid out: from the parser's tree to layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from lark import Token, Tree

from nasdsl.language.format_expressions import EXPRESSIONS, Expressions, Part, Rule
from nasdsl.language.format_layout import (
    SPACE,
    STEP,
    Group,
    Indent,
    Layout,
    Leaf,
    Line,
    Row,
    Space,
    row,
)
from nasdsl.language.format_words import Word

KEYWORD = 7
"""``input``, ``node`` and ``output`` in a graph stand in a column of this width."""
BROKEN = -1
"""Given as the width of a keyword: the block of settings has one entry a line."""


class Rules(Expressions):
    """Lays out the statements of one text."""

    rules: ClassVar[dict[str, Rule]]

    def statement(self, tree: Tree[Token], base: int, keyword: int = 0) -> Layout:
        """One statement, its keyword filled with blanks to ``keyword`` characters."""
        self._base = base
        return _STATEMENTS.get(str(tree.data), Rules._plain_statement)(self, tree, keyword)

    def keyword(self, tree: Tree[Token], base: int) -> int:
        """How wide what stands before the padding of :meth:`statement` is."""
        self._base = base
        if tree.data == "let":
            return self._head(tree).width
        return len(self.first(tree).text)

    # ---- lists of bindings

    def _where(self, tree: Tree[Token], tight: bool = False) -> Layout:
        """``where`` and its bindings under one another, their ``in`` or ``=`` in one column."""
        where, *bindings = tree.children
        width = len(str(where)) + 1
        heads = [self._head(b) for b in bindings]
        widest = max(h.width for h in heads)
        made: list[Layout] = []
        for at, (binding, head) in enumerate(zip(bindings, heads, strict=True)):
            pad = Space(1, 1 + widest - head.width)
            made += [self._line(binding)] if at else []
            made.append(self._bound(binding, head, pad, STEP))
        return Row(self._of(where), SPACE, Indent(width, row(made)))

    def _head(self, binding: Part) -> Layout:
        """The name of a binding with its indices or parameters, and ``let`` where it stands."""
        parts = [self._of(c) for c in _before_sign(binding)]
        if isinstance(binding, Tree) and binding.data == "let":
            parts.insert(1, SPACE)
        return row(parts)

    def _bound(self, binding: Part, head: Layout, pad: Layout, hang: int) -> Layout:
        assert isinstance(binding, Tree)
        sign, source = binding.children[-2:]
        if str(sign) == "in":
            value: Layout = self._placed(self._of(sign), source, hang)
        else:
            value = self.body(sign, source, hang)
        return Row(head, pad, value)

    def _with_where(self, parts: list[Layout], where: Sequence[Part]) -> Layout:
        if not where:
            return row(parts)
        clause = where[0]
        assert isinstance(clause, Tree)
        broken = self._broken([clause, *clause.children[1:]])
        return Group(row([*parts, Indent(STEP, Row(Line(), self._where(clause)))]), broken=broken)

    # ---- statements

    def _plain_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        return self._plain(tree)

    def _port_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        word, name, *rest = tree.children
        pad = Space(1, max(1, keyword + 1 - len(str(word))))
        kind = [SPACE] if isinstance(rest[0], Token) and rest[0].type == "NAME" else []
        return row([self._of(word), pad, self._of(name), *kind, *(self._of(r) for r in rest)])

    def _let_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        """``let``; here ``keyword`` is the width of what stands before ``in``."""
        head = self._head(tree)
        pad = Space(1, max(1, keyword + 1 - head.width))
        if str(tree.children[-2]) != "in":
            pad = SPACE
        return self._bound(tree, head, pad, STEP)

    def _block_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        word, name, *rest = tree.children
        where = [c for c in rest if isinstance(c, Tree) and c.data == "where"]
        sign = next(i for i, c in enumerate(rest) if isinstance(c, Token) and str(c) == "=")
        head = [self._of(word), SPACE, self._of(name)]
        head += [self._of(c) for c in rest[:sign]]
        return self._with_where([*head, SPACE, self.body(rest[sign], rest[sign + 1])], where)

    def _choice_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        parts = list(tree.children)
        where = [c for c in parts if isinstance(c, Tree) and c.data == "where"]
        alternatives = [c for c in parts if isinstance(c, Tree) and c.data == "alternative"]
        head: list[Layout] = []
        for part in parts[: parts.index(alternatives[0])]:
            parameters = isinstance(part, Tree) and part.data == "parameters"
            head += [SPACE] if head and not parameters else []
            head.append(self._of(part))
        widest = max(len(str(a.children[1])) for a in alternatives)
        lines = [x for a in alternatives for x in (Line(), self._alternative(a, widest))]
        broken = self._broken(alternatives)
        inner = Group(row([*head, Indent(STEP, row(lines))]), broken=broken)
        return self._with_where([inner], where)

    def _alternative(self, tree: Tree[Token], widest: int) -> Layout:
        bar, name, sign, body, *guard = tree.children
        pad = Space(1, 1 + widest - len(str(name)))
        value: Layout = self.body(sign, body, 2 * STEP)
        if guard:
            when, condition = guard
            tail = Row(Line(), self._of(when), SPACE, self._of(condition))
            value = Group(Row(value, Indent(2 * STEP, tail)))
        return Row(self._of(bar), SPACE, self._of(name), pad, value)

    def _cell_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        where = [c for c in tree.children if isinstance(c, Tree) and c.data == "where"]
        head: list[Layout] = []
        for part in tree.children:
            if part in where:
                break
            parameters = isinstance(part, Tree) and part.data == "parameters"
            head += [SPACE] if head and not parameters else []
            head.append(self._of(part))
        return self._with_where(head, where)

    def _network_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        word, *rest = tree.children
        where = [c for c in rest if isinstance(c, Tree) and c.data == "where"]
        head: list[Layout] = [self._of(word), SPACE]
        if isinstance(rest[0], Token):
            return self._with_where([*head, self.body(rest[0], rest[1])], where)
        return self._with_where([*head, self._of(rest[0])], where)

    def _graph(self, tree: Tree[Token], tight: bool) -> Layout:
        opening, *entries, closing = tree.children
        made = [self._graph_entry(e) for e in entries]
        return self._block_of(opening, made, closing, broken=bool(made))

    def _graph_entry(self, entry: Part) -> Layout:
        assert isinstance(entry, Tree)
        word, *rest = entry.children
        width = KEYWORD if str(word) != "let" else len("let ")
        pad = Space(1, width - len(str(word)))
        if entry.data in ("node", "numbered", "let"):
            head = row(self._of(c, True) for c in _before_sign(entry)[1:])
            value = self._bound(entry, head, SPACE, width + STEP)
            return Row(self._of(word), pad, value)
        items: list[Layout] = []
        for at, part in enumerate(rest):
            if at and _kind(part) != "COMMA":
                items.append(Line(fill=True))
            items.append(self._of(part))
        return Row(self._of(word), pad, Group(Indent(KEYWORD, row(items))))

    def _block_of(
        self, opening: Part, entries: list[Layout], closing: Part, *, broken: bool
    ) -> Layout:
        """Entries in braces, one a line, or all on the line of the braces."""
        assert isinstance(closing, Token)
        end = self.word(closing)
        if not entries and not end.before:
            return Row(self._of(opening), self._of(closing))
        inner = [x for e in entries for x in (Line(), e)]
        if end.before:
            inner += [Line(), Leaf(Word("", "", before=end.before))]
            end = Word(end.text, end.kind, (), end.after)
        made = Row(self._of(opening), Indent(STEP, row(inner)), Line(), Leaf(end))
        return Group(made, broken=broken)

    # ---- neighborhood

    def _neighborhood_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        """Edits, one a line, what they do in one column; and the radius."""
        word, opening, *rest, closing = tree.children
        entries: list[Layout] = []
        edits = [r for r in rest if isinstance(r, Tree)]
        widest = max((len(str(e.children[1])) for e in edits if e.data == "edit"), default=0)
        at = 0
        while at < len(rest):
            part = rest[at]
            if isinstance(part, Tree) and part.data == "edit":
                entries.append(self._edit(part, widest))
                at += 1
            else:
                entries.append(Row(self._of(part), SPACE, self._of(rest[at + 1])))
                at += 2
        broken = len(entries) > 1 or self._broken([*rest, closing])
        return Row(self._of(word), SPACE, self._block_of(opening, entries, closing, broken=broken))

    def _edit(self, tree: Tree[Token], widest: int) -> Layout:
        word, name, colon, *rest = tree.children
        pad = Space(1, 1 + widest - len(str(name)))
        parts: list[Layout] = [self._of(word), SPACE, self._of(name), self._of(colon), pad]
        inner: list[Layout] = []
        after_then = True
        for part in rest:
            inner += [] if after_then else [Line()]
            after_then = isinstance(part, Token)
            inner.append(self._of(part))
            inner += [SPACE] if after_then else []
        indent = len("edit ") + widest + 2
        return row([*parts, Group(Indent(indent, row(inner)))])

    # ---- settings

    def _settings_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        word, *rest = tree.children
        parts: list[Layout] = [self._of(word), Space(max(1, keyword + 1 - len(str(word))))]
        if tree.data == "objective":
            opening, *inner, closing = rest
            return row([*parts, self._entries(opening, inner, closing, keyword == BROKEN)])
        for at, part in enumerate(rest):
            parts += [SPACE] if at else []
            if _kind(part) == "settings":
                assert isinstance(part, Tree)
                opening, *inner, closing = part.children
                parts.append(self._entries(opening, inner, closing, keyword == BROKEN))
            else:
                parts.append(self._of(part))
        return row(parts)

    def _entries(self, opening: Part, inner: list[Part], closing: Part, broken: bool) -> Layout:
        entries: list[Layout] = []
        for part in inner:
            if isinstance(part, Token):
                entries[-1] = Row(entries[-1], self._of(part))
            else:
                entries.append(self._of(part))
        broken = broken or self._broken([*inner, closing])
        return self._block_of(opening, entries, closing, broken=broken)

    def _entry(self, tree: Tree[Token], tight: bool) -> Layout:
        path, *rest = tree.children
        if not rest:
            return self._of(path)
        if isinstance(rest[0], Token) and str(rest[0]) == "(":
            return Row(self._of(path), self._bracketed(rest[0], rest[1:-1], rest[-1]))
        return row([self._of(path), SPACE, *(self._of(r) for r in rest)])

    # ---- declared operations

    def _op_statement(self, tree: Tree[Token], keyword: int) -> Layout:
        parts = list(tree.children)
        cut = next(i for i, p in enumerate(parts) if _kind(p) in ("fact", "EQUAL"))
        word, name, *head = parts[:cut]
        *facts, equals, python, target = parts[cut:]
        made: list[Layout] = [self._of(word), SPACE, self._of(name)]
        for part in head:
            made += [SPACE] if _kind(part) in ("tensor", "ARROW") else []
            made.append(self._of(part))
        tail = [x for f in facts for x in (Line(), self._of(f))]
        tail += [Line(), self._of(equals), SPACE, self._of(python), SPACE, self._of(target)]
        broken = self._broken([*facts, equals])
        return Group(row([*made, Indent(STEP, row(tail))]), broken=broken)


def _before_sign(binding: Part) -> list[Part]:
    """What stands before ``=`` or ``in``."""
    assert isinstance(binding, Tree)
    return list(binding.children[:-2])


def _kind(part: Part) -> str:
    return str(part.data) if isinstance(part, Tree) else part.type


Rules.rules = {
    **EXPRESSIONS,
    "graph": Rules._graph,
    "entry": Rules._entry,
    "metric": Rules._entry,
}

_STATEMENTS: dict[str, Callable[[Rules, Tree[Token], int], Layout]] = {
    "input": Rules._port_statement,
    "output": Rules._port_statement,
    "let": Rules._let_statement,
    "block": Rules._block_statement,
    "choice": Rules._choice_statement,
    "cell": Rules._cell_statement,
    "network": Rules._network_statement,
    "op": Rules._op_statement,
    "neighborhood": Rules._neighborhood_statement,
    "data": Rules._settings_statement,
    "train": Rules._settings_statement,
    "search": Rules._settings_statement,
    "report": Rules._settings_statement,
    "objective": Rules._settings_statement,
    "best": Rules._settings_statement,
}
