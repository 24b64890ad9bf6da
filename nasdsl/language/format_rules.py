"""How each construct of the language is laid out: from the parser's tree to layouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
KEYWORD = 7
"""``input``, ``node`` and ``output`` in a graph stand in a column of this width."""
BROKEN = -1
"""Given as the width of a keyword: the block of settings has one entry a line."""

Part = Tree[Token] | Token

_ATOMS = frozenset({"name", "number", "power", "item", "member"})
_NO_SPACE_BEFORE = frozenset(",)]:.")
_NO_SPACE_AFTER = frozenset("([.")


class Rules:
    """Lays out the statements of one text.

    ``words`` finds the word of a token by its offset in the text; ``base`` is the offset of
    the statement's own text, which was parsed by itself.
    """

    def __init__(self, words: Mapping[int, Word]):
        self._words = words
        self._base = 0

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

    # ---- the machinery

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
        rule = _RULES.get(str(part.data))
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
        return row([self._of(word), pad, self._of(name), *(self._of(r) for r in rest)])

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

    def _parenthesized(self, tree: Tree[Token], tight: bool) -> Layout:
        opening, *inner, closing = tree.children
        return self._bracketed(opening, list(inner), closing)


def _before_sign(binding: Part) -> list[Part]:
    """What stands before ``=`` or ``in``."""
    assert isinstance(binding, Tree)
    return list(binding.children[:-2])


def _kind(part: Part) -> str:
    return str(part.data) if isinstance(part, Tree) else part.type


_LISTS = frozenset({"arguments"})

Rule = Callable[[Rules, Tree[Token], bool], Layout]

_RULES: dict[str, Rule] = {
    "call": Rules._call,
    "set": Rules._braced,
    "collection": Rules._collection,
    "argument": Rules._argument,
    "named": Rules._named,
    "dimension": Rules._close,
    "item": Rules._item,
    "port": Rules._close,
    "member": Rules._member,
    "path": Rules._close,
    "signed": Rules._close,
    "group": Rules._group,
    "sign": Rules._sign,
    "range": Rules._range,
    "product": Rules._arithmetic,
    "power": Rules._arithmetic,
    "sum": Rules._sum,
    "chain": Rules._chain,
    "either": Rules._logic,
    "both": Rules._logic,
    "conditional": Rules._conditional,
    "graph": Rules._graph,
    "entry": Rules._entry,
    "metric": Rules._entry,
    "parameters": Rules._parenthesized,
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
