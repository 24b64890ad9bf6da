"""How expressions are laid out: from the parser's tree to layouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from lark import Token, Tree

from nasdsl.language.format_layout import (
    HARD,
    SPACE,
    STEP,
    Group,
    Hang,
    Indent,
    Layout,
    Leaf,
    Line,
    Row,
    Space,
    row,
)
from nasdsl.language.format_words import Word
from nasdsl.language.parser import STATEMENTS

ALIGNED = 80
"""Rows of a chain wider than this are not aligned, so that aligning never breaks a line."""

Part = Tree[Token] | Token
Rule = Callable[[Any, Tree[Token], bool], Layout]
"""(rules, tree, tight) to layout: ``tight`` asks for arithmetic without blanks."""

_ATOMS = frozenset({"name", "number", "power", "item", "member"})
_NO_SPACE_BEFORE = frozenset(",)]:.")
_NO_SPACE_AFTER = frozenset("([.")
_LISTS = frozenset({"arguments"})


class Expressions:
    """Lays out the expressions of one text.

    ``words`` finds the word of a token by its offset in the text.
    """

    rules: ClassVar[dict[str, Rule]]
    """How trees are laid out, by name; others have one blank between their parts."""

    def __init__(self, words: Mapping[int, Word]):
        self._words = words
        self._base = 0
        """Offset of the statement, which was parsed by itself."""

    def word(self, token: Token) -> Word:
        """The word of a token."""
        return self._words[self._base + (token.start_pos or 0)]

    def first(self, part: Part) -> Word:
        """The first word of a part."""
        while isinstance(part, Tree):
            part = part.children[0]
        return self.word(part)

    def _of(self, part: Part, tight: bool = False) -> Layout:
        if isinstance(part, Token):
            return Leaf(self.word(part))
        rule = self.rules.get(str(part.data))
        return rule(self, part, tight) if rule else self._plain(part)

    def _plain(self, tree: Tree[Token], tight: bool = False) -> Layout:
        """Children with one blank between them, less where marks stand."""
        parts: list[Layout] = []
        left = ""
        for child in tree.children:
            right = self.first(child).text
            if parts and right not in _NO_SPACE_BEFORE and left not in _NO_SPACE_AFTER:
                parts.append(SPACE)
            parts.append(self._of(child, tight))
            left = str(child) if isinstance(child, Token) else ""
        return row(parts)

    def _close(self, tree: Tree[Token], tight: bool = False) -> Layout:
        """Children without blanks."""
        return row(self._of(c, tight) for c in tree.children)

    def _broken(self, parts: Sequence[Part]) -> bool:
        """The author began a new line at one of these parts."""
        return any(self.first(p).fresh for p in parts)

    def _line(self, part: Part) -> Layout:
        """A place to break before a part, unless its first word would begin a statement there."""
        return SPACE if self.first(part).text in STATEMENTS else Line()

    # ---- expressions

    def _call(self, tree: Tree[Token], tight: bool) -> Layout:
        callee, opening, *inner, closing = tree.children
        return Row(self._of(callee), self._bracketed(opening, inner, closing))

    def _bracketed(self, opening: Part, inner: list[Part], closing: Part) -> Layout:
        """A list in brackets: on one line, or filled from the next line on."""
        if len(inner) == 1 and isinstance(inner[0], Tree) and inner[0].data in _LISTS:
            inner = inner[0].children
        if not inner:
            return Row(self._of(opening), self._of(closing))
        alone = len(inner) == 1
        items: list[Layout] = [Line(0, fill=alone)]
        for at, part in enumerate(inner):
            comma = isinstance(part, Token)
            if at and not comma:
                items.append(Line(fill=True))
            items.append(self._of(part))
        return Group(Row(self._of(opening), Indent(STEP, row(items)), self._of(closing)))

    def _braced(self, tree: Tree[Token], tight: bool) -> Layout:
        opening, *inner, closing = tree.children
        return self._bracketed(opening, list(inner), closing)

    def _collection(self, tree: Tree[Token], tight: bool) -> Layout:
        opening, *inner, closing = tree.children
        return Row(self._of(opening), self._clauses(inner), self._of(closing))

    def _argument(self, tree: Tree[Token], tight: bool) -> Layout:
        return self._clauses(tree.children)

    def _clauses(self, parts: Sequence[Part]) -> Layout:
        if len(parts) == 1:
            return self._of(parts[0])
        rest = [x for p in parts[1:] for x in (Line(), self._of(p))]
        return Group(Hang(Row(self._of(parts[0]), Indent(STEP, row(rest)))))

    def _named(self, tree: Tree[Token], tight: bool) -> Layout:
        name, equals, value = tree.children
        return Row(self._of(name), self._of(equals), self._of(value))

    def _item(self, tree: Tree[Token], tight: bool) -> Layout:
        base, opening, index, closing = tree.children
        return Row(self._of(base), self._of(opening), self._of(index, True), self._of(closing))

    def _subscript(self, tree: Tree[Token], tight: bool) -> Layout:
        parts: list[Layout] = []
        for at, part in enumerate(tree.children):
            if at and not isinstance(part, Token):
                parts.append(SPACE)
            parts.append(self._of(part, True))
        return row(parts)

    def _member(self, tree: Tree[Token], tight: bool) -> Layout:
        base, dot, name = tree.children
        # "x.1.2" would be read as x and the number 1.2.
        last = base
        while isinstance(last, Tree):
            last = last.children[-1]
        numbers = last.type == "INTEGER" and isinstance(name, Token) and name.type == "INTEGER"
        gap = [SPACE] if numbers else []
        return row([self._of(base), *gap, self._of(dot), self._of(name)])

    def _group(self, tree: Tree[Token], tight: bool) -> Layout:
        opening, inner, closing = tree.children
        return Row(self._of(opening), Hang(self._of(inner)), self._of(closing))

    def _sign(self, tree: Tree[Token], tight: bool) -> Layout:
        return self._close(tree, tight)

    def _range(self, tree: Tree[Token], tight: bool) -> Layout:
        low, dots, high, *step = tree.children
        parts = [self._of(low, True), self._of(dots), self._of(high, True)]
        for part in step:
            parts += [SPACE, self._of(part)]
        return row(parts)

    def _arithmetic(self, tree: Tree[Token], tight: bool) -> Layout:
        if str(tree.data) == "power":
            return self._close(tree, True)
        parts = tree.children
        if not (tight or self._written_tight(parts)):
            return self._operators(parts)
        return row(self._of(p, True) for p in parts)

    def _written_tight(self, parts: Sequence[Part]) -> bool:
        """``2*C``, ``i-1``: simple operands that the author put without blanks."""
        simple = all(
            isinstance(p, Token) or str(p.data) in _ATOMS | {"product"} for p in parts
        ) and not any(isinstance(p, Token) and str(p) == "++" for p in parts)
        nested = [p for p in parts if isinstance(p, Tree) and p.data == "product"]
        return (
            simple
            and all(self.first(p).glued for p in parts[1:])
            and all(self._written_tight(n.children) for n in nested)
        )

    def _operators(self, parts: Sequence[Part]) -> Layout:
        """Operands under one another, each with its operator in front, where they do not fit."""
        layouts: list[Layout] = [self._of(parts[0])]
        for operator, operand in zip(parts[1::2], parts[2::2], strict=True):
            mark = self._of(operator)
            layouts += [Line(), mark, SPACE, Indent(mark.width + 1, self._of(operand))]
        return Group(Hang(row(layouts)), broken=self._author_breaks(parts))

    def _author_breaks(self, parts: Sequence[Part]) -> bool:
        return self._broken(parts[1:])

    def _sum(self, tree: Tree[Token], tight: bool) -> Layout:
        parts = tree.children
        plain = not any(isinstance(p, Token) and str(p) == "++" for p in parts)
        if plain and (tight or self._written_tight(parts)):
            return row(self._of(p, True) for p in parts)
        return self._operators(parts)

    def _chain(self, tree: Tree[Token], tight: bool) -> Layout:
        return self._operators(tree.children)

    def _logic(self, tree: Tree[Token], tight: bool) -> Layout:
        return self._operators(tree.children)

    def _conditional(self, tree: Tree[Token], tight: bool) -> Layout:
        """``if`` and each ``else`` on a line of its own where it does not fit on one."""
        parts: list[Layout] = []
        rest: Part = tree
        lead: list[Layout] = []
        while isinstance(rest, Tree) and rest.data == "conditional":
            if_, condition, then, value, else_, rest = rest.children
            parts += [
                *lead,
                self._of(if_),
                SPACE,
                self._of(condition),
                SPACE,
                self._of(then),
                SPACE,
                Indent(STEP, self._of(value)),
                Line(),
            ]
            lead = [self._of(else_), SPACE]
        return Group(Hang(row([*parts, *lead, self._of(rest)])))

    # ---- bodies

    def body(self, equals: Part, expression: Part, hang: int = STEP) -> Layout:
        """``= expression``: behind the sign, or from the next line on, ``hang`` further right.

        Steps of a chain and operands of a sum stand one a line with their operators in front,
        or as the author has put them on lines.
        """
        sign = self._of(equals)
        listed = isinstance(expression, Tree) and expression.data in ("chain", "sum")
        if not isinstance(expression, Tree) or not listed or self._inline(expression):
            return self._placed(sign, expression, hang)
        parts = expression.children
        broken = self._author_breaks(parts)
        lines = self._rows(parts) if broken else [list(parts)]
        operator = max(len(str(p)) for p in parts[1::2]) + 1
        aligned = self._columns(lines)
        made: list[Layout] = [Line()]
        for number, line in enumerate(lines):
            if number:
                made.append(HARD)
            else:
                made.append(Indent(operator, self._of(line.pop(0))))
                made += [Space(0, aligned.get((0, 0), 0))] if aligned.get((0, 0)) else []
            inner: list[Layout] = []
            marks, operands = line[::2], line[1::2]
            for at, (mark, operand) in enumerate(zip(marks, operands, strict=True)):
                step = at + (not number)
                if step:
                    inner.append(Line())
                leaf = self._of(mark)
                inner += [leaf, SPACE, Indent(leaf.width + 1, self._of(operand))]
                pad = aligned.get((number, step), 0)
                if pad:
                    inner.append(Space(pad))
            # With the author's own lines, only a line that is too long breaks further.
            made.append(Group(row(inner)) if broken else row(inner))
        return Group(Row(sign, Indent(hang, row(made))), broken=broken)

    def _placed(self, sign: Layout, value: Part, hang: int) -> Layout:
        return Group(Row(sign, Indent(hang, Row(self._line(value), self._of(value)))))

    def _inline(self, expression: Tree[Token]) -> bool:
        """A sum or chain that is not put under the sign, operand by operand."""
        if self.first(expression).text in STATEMENTS:
            return True
        return expression.data == "sum" and self._written_tight(expression.children)

    def _rows(self, parts: Sequence[Part]) -> list[list[Part]]:
        """Operands on the lines on which the author has put them, operators leading."""
        lines: list[list[Part]] = [[parts[0]]]
        for operator, operand in zip(parts[1::2], parts[2::2], strict=True):
            if self._broken((operator, operand)):
                lines.append([])
            lines[-1] += [operator, operand]
        return lines

    def _columns(self, lines: Sequence[Sequence[Part]]) -> dict[tuple[int, int], int]:
        """Blanks after steps, so that lines that repeat one pattern stand in columns.

        Lines repeat a pattern if they have as many steps, each begun by the same word:
        ``>> Cell(C) * N   >> Reduce(2*C)`` above ``>> Cell(2*C) * N >> Reduce(4*C)``.
        """
        found: dict[tuple[int, int], int] = {}
        steps = [[p for p in line if isinstance(p, Tree) or p.type == "NAME"] for line in lines]
        patterns = [tuple(self.first(s).text for s in line) for line in steps]
        start = 0
        for end in range(1, len(lines) + 1):
            if end < len(lines) and patterns[end] == patterns[start]:
                continue
            rows = range(start, end)
            widths = [[self._of(s).width for s in steps[n]] for n in rows]
            widest = [max(column) for column in zip(*widths, strict=True)]
            if sum(widest) + 4 * len(widest) <= ALIGNED:
                for number, line in zip(rows, widths, strict=True):
                    for at, (width, most) in enumerate(zip(line[:-1], widest, strict=False)):
                        found[number, at] = most - width
            start = end
        return found

    def _parenthesized(self, tree: Tree[Token], tight: bool) -> Layout:
        opening, *inner, closing = tree.children
        return self._bracketed(opening, list(inner), closing)


EXPRESSIONS: dict[str, Rule] = {
    "call": Expressions._call,
    "set": Expressions._braced,
    "collection": Expressions._collection,
    "argument": Expressions._argument,
    "named": Expressions._named,
    "dimension": Expressions._close,
    "item": Expressions._item,
    "port": Expressions._close,
    "subscript": Expressions._subscript,
    "numbers": Expressions._subscript,
    "member": Expressions._member,
    "path": Expressions._close,
    "signed": Expressions._close,
    "group": Expressions._group,
    "sign": Expressions._sign,
    "range": Expressions._range,
    "product": Expressions._arithmetic,
    "power": Expressions._arithmetic,
    "sum": Expressions._sum,
    "chain": Expressions._chain,
    "either": Expressions._logic,
    "both": Expressions._logic,
    "conditional": Expressions._conditional,
    "parameters": Expressions._parenthesized,
}
