"""The syntax tree of a `.nas` text: frozen records, each with its place.

Equality is identity: two equal texts at two places are two things, and a decision belongs to
the place at which it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from nasdsl.diagnostics import Span
from nasdsl.language.record import Record


class Syntax(Record):
    """Anything written in a text."""

    span: Span

    def children(self) -> Iterator[Syntax]:
        """The parts directly below, in the order of the fields."""
        for name in self._fields:
            value = getattr(self, name)
            if isinstance(value, Syntax):
                yield value
            elif isinstance(value, tuple):
                yield from (v for v in value if isinstance(v, Syntax))

    def walk(self) -> Iterator[Syntax]:
        """This and everything below, parents first, in the order of the fields."""
        stack: list[Syntax] = [self]
        while stack:
            top = stack.pop()
            yield top
            stack.extend(reversed(list(top.children())))


class Ident(Syntax):
    """A name where it is declared or used as a label."""

    text: str

    def __str__(self) -> str:
        return self.text


# ---- expressions


class Expr(Syntax):
    """An expression: a value, a module, a tensor, by what its names denote."""

    @cached_property
    def refs(self) -> frozenset[str]:
        """Every name read anywhere below, bound or free."""
        found: set[str] = set()
        for part in self.walk():
            if isinstance(part, Ref):
                found.add(part.name)
        return frozenset(found)


class Number(Expr):
    """A number; suffixes are multiplied out."""

    value: int | float
    written: str


class Text(Expr):
    """A text in quotes, escapes resolved."""

    value: str


class Truth(Expr):
    """``true`` or ``false``."""

    value: bool


class Ref(Expr):
    """A name."""

    name: str


class Group(Expr):
    """An expression in parentheses."""

    inner: Expr


class SetOf(Expr):
    """``{a, b, c}``."""

    items: tuple[Expr, ...]


class Clause(Syntax):
    """``for i in source if condition``."""

    variable: Ident
    source: Expr
    condition: Expr | None


class Collection(Expr):
    """``{e for i in source}``."""

    item: Expr
    clauses: tuple[Clause, ...]


class Argument(Syntax):
    """One argument of a call: positional, named, or a comprehension."""

    name: Ident | None
    value: Expr
    clauses: tuple[Clause, ...] = ()


class Call(Expr):
    """``callee(arguments)``: a template with its parameters, or a module on its inputs."""

    callee: Expr
    arguments: tuple[Argument, ...]


class Item(Expr):
    """``base[index]``."""

    base: Expr
    index: Expr


class Place(Expr):
    """``i, j``: the index of a name that has several."""

    parts: tuple[Expr, ...]


class Member(Expr):
    """``base.name``."""

    base: Expr
    name: Ident


class Unary(Expr):
    """``-x`` or ``not x``."""

    operator: str
    operand: Expr


class Binary(Expr):
    """``* / // % ^ and or`` between two operands."""

    operator: str
    left: Expr
    right: Expr


class Terms(Expr):
    """Operands joined by ``+``, ``++`` or ``-`` (``operators`` has one fewer)."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]


class Chain(Expr):
    """``a >> b >> c``."""

    parts: tuple[Expr, ...]


class Compare(Expr):
    """``a <= b < c``, ``x in s``, ``x not in s``."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]


class Range(Expr):
    """``a..b step c``, both ends included."""

    low: Expr
    high: Expr
    step: Expr | None


class Conditional(Expr):
    """``if c then a else b``: decides without choosing."""

    condition: Expr
    then: Expr
    other: Expr


class Pick(Expr):
    """``pick k of s``: a choice of k members, unordered, without repetition."""

    number: Expr
    source: Expr


class Some(Expr):
    """``some of s``: a choice of any subset."""

    source: Expr


# ---- declarations


class Statement(Syntax):
    """A statement at the top of a text."""


class Version(Statement):
    """``nas 1``."""

    number: int


class SpaceName(Statement):
    """``space name "what it is"``."""

    name: Ident
    doc: str


class Dimension(Syntax):
    """One dimension of a tensor, with a name where one is written."""

    name: Ident | None
    size: Expr


class Port(Statement):
    """``input name[dimensions]`` or ``output name[dimensions]``; ``kind`` as in ``x int[30]``."""

    direction: str
    name: Ident
    kind: Ident | None
    dimensions: tuple[Dimension, ...]


class Use(Statement):
    """``use "file.nas"``."""

    path: Text


class KeyTemplate(Statement):
    """``key "template with {decisions}"``."""

    template: Text


class Parameter(Syntax):
    """A parameter of a template or function."""

    name: Ident
    default: Expr | None


class IndexVariable(Syntax):
    """``i in 1..n`` in square brackets."""

    name: Ident
    source: Expr


class Binding(Syntax):
    """``x in domain`` (a choice), or ``x = value``, possibly for every index."""

    name: Ident
    indices: tuple[IndexVariable, ...]
    source: Expr
    chosen: bool
    """``in`` was written: the value is chosen from the source."""

    @property
    def decides(self) -> bool:
        """A choice is introduced here."""
        return self.chosen or isinstance(self.source, Pick | Some)


class Let(Statement):
    """``let``: a constant, a function, or a choice of the whole space."""

    binding: Binding
    parameters: tuple[Parameter, ...] | None

    @property
    def name(self) -> Ident:
        """The declared name."""
        return self.binding.name


class Block(Statement):
    """A template: every use decides afresh."""

    name: Ident
    parameters: tuple[Parameter, ...]
    body: Expr
    where: tuple[Binding, ...]


class Alternative(Syntax):
    """``| name = expression when guard``."""

    name: Ident
    body: Expr
    guard: Expr | None


class Choice(Statement):
    """A template that decides between named alternatives."""

    name: Ident
    parameters: tuple[Parameter, ...]
    recursion: Expr | None
    alternatives: tuple[Alternative, ...]
    where: tuple[Binding, ...]


class NodeEquation(Syntax):
    """``node n[j in 1..3] = e``; ``number`` where one index is written out."""

    name: Ident
    indices: tuple[IndexVariable, ...]
    number: Expr | None
    body: Expr


class GraphPort(Syntax):
    """An input of a cell: a name, possibly with a number."""

    name: Ident
    number: Expr | None


class Graph(Syntax):
    """What stands in the braces of a cell or network."""

    inputs: tuple[GraphPort, ...]
    lets: tuple[Let, ...]
    nodes: tuple[NodeEquation, ...]
    outputs: tuple[Expr, ...]


class Cell(Statement):
    """One design, shared by all its uses."""

    name: Ident
    parameters: tuple[Parameter, ...]
    graph: Graph
    where: tuple[Binding, ...]


class NetworkBody(Statement):
    """``network = e`` or ``network { ... }``."""

    body: Expr | Graph
    where: tuple[Binding, ...]


class OperationDeclaration(Statement):
    """``op Name(p): [in] -> [out] params e macs e = python "module:Name"``."""

    name: Ident
    parameters: tuple[Parameter, ...]
    inputs: tuple[tuple[Dimension, ...], ...]
    output: tuple[Dimension, ...]
    params: Expr | None
    macs: Expr | None
    target: Text


class Require(Statement):
    """A condition that every feasible architecture meets."""

    condition: Expr


class Path(Syntax):
    """``a.b.c``."""

    parts: tuple[Ident, ...]

    def __str__(self) -> str:
        return ".".join(p.text for p in self.parts)


class Rule(Syntax):
    """One elementary edit."""


class AnyRule(Rule):
    """``any Op`` or ``any inputs of Cell``."""

    target: Path
    scope: Path | None


class StepRule(Rule):
    """``step width by 1``."""

    target: Path
    by: Expr | None


class InsertRule(Rule):
    """``insert Layer`` or ``remove Layer``."""

    target: Path
    insert: bool


class FlipRule(Rule):
    """``flip P of Cell``."""

    target: Path
    scope: Path | None


class ReplaceRule(Rule):
    """``a | b -> c``: labels of alternatives, or patterns of operations."""

    before: tuple[Expr, ...]
    after: tuple[Expr, ...]
    both: bool


class Edit(Syntax):
    """A named edit: rules done one after another, with its restrictions."""

    name: Ident
    rules: tuple[Rule, ...]
    at: tuple[Path, ...]
    where: Expr | None
    weight: Expr | None


class Neighborhood(Statement):
    """The edits that say which architectures are near."""

    edits: tuple[Edit, ...]
    radius: Expr | None


# ---- settings


class Setting(Syntax):
    """One entry of a block of settings."""

    path: Path
    arguments: tuple[Argument, ...]


class Settings(Statement):
    """``train``, ``report`` and ``search`` with their entries; ``data`` has exactly one."""

    block: str
    name: Ident | None
    entries: tuple[Setting, ...]


class GoalSyntax(Syntax):
    """``maximize metric(arguments)``."""

    direction: str
    metric: Setting


class Objective(Statement):
    """The goals of the search; ``best`` has exactly one."""

    block: str
    goals: tuple[GoalSyntax, ...]
