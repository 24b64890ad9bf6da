"""From the parser's reductions to the syntax tree."""

# ruff: noqa: D102 -- the methods are named after the grammar's rules, which document them.

from __future__ import annotations

from typing import Any

from lark import Token

from nasdsl.diagnostics import Diagnostic, DiagnosticError
from nasdsl.language import syntax as s
from nasdsl.language.mixed import mixed_sum
from nasdsl.language.reduction import Part, Reduction

_SUFFIX = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


class Builder(Reduction):
    """Called by the parser at each reduction with all children, punctuation included."""

    dimensions = parameters = indices = where = arguments = Reduction._list

    # ---- statements

    def version(self, c: list[Any]) -> s.Version:
        value = self.number([c[1]]).value
        if value != 1:
            self.problems.append(
                Diagnostic(
                    "NAS011",
                    f"language version {c[1]} is not known; write 'nas 1'",
                    self.place(c[1]),
                )
            )
        return s.Version(self._span(c), 1)

    def space(self, c: list[Any]) -> s.SpaceName:
        doc = self.text([c[2]]).value if len(c) > 2 else ""
        return s.SpaceName(self._span(c), self._ident(c[1]), doc)

    def input(self, c: list[Any]) -> s.Port:
        kind = self._ident(c[2]) if isinstance(c[2], Token) and c[2].type == "NAME" else None
        dimensions = self._parts(c, s.Dimension)
        return s.Port(self._span(c), str(c[0]), self._ident(c[1]), kind, dimensions)

    output = input

    def dimension(self, c: list[Any]) -> s.Dimension:
        name = self._ident(c[0]) if len(c) > 1 else None
        return s.Dimension(self._span(c), name, c[-1])

    def use(self, c: list[Any]) -> s.Use:
        return s.Use(self._span(c), self.text([c[1]]))

    def key(self, c: list[Any]) -> s.KeyTemplate:
        return s.KeyTemplate(self._span(c), self.text([c[1]]))

    def let(self, c: list[Any]) -> s.Let:
        functional = any(isinstance(p, Part) and self._kind(p) is s.Parameter for p in c)
        chosen = self._token(c, "IN") is not None
        binding = s.Binding(
            self._span(c), self._ident(c[1]), self._parts(c, s.IndexVariable), c[-1], chosen
        )
        return s.Let(self._span(c), binding, self._parts(c, s.Parameter) if functional else None)

    @staticmethod
    def _kind(part: Part) -> type | None:
        return type(part.items[0]) if part.items else s.Parameter

    def binding(self, c: list[Any]) -> s.Binding:
        chosen = self._token(c, "IN") is not None
        return s.Binding(
            self._span(c), self._ident(c[0]), self._parts(c, s.IndexVariable), c[-1], chosen
        )

    def index(self, c: list[Any]) -> s.IndexVariable:
        return s.IndexVariable(self._span(c), self._ident(c[0]), c[2])

    def pick(self, c: list[Any]) -> s.Pick:
        return self._deep(s.Pick(self._span(c), c[1], c[3]), c[1], c[3])

    def some(self, c: list[Any]) -> s.Some:
        return self._deep(s.Some(self._span(c), c[2]), c[2])

    def _where(self, c: list[Any]) -> tuple[s.Binding, ...]:
        return self._parts(c, s.Binding) if self._wheres(c) else ()

    @staticmethod
    def _wheres(c: list[Any]) -> bool:
        return any(isinstance(p, Part) and p.items and isinstance(p.items[0], s.Binding) for p in c)

    def block(self, c: list[Any]) -> s.Block:
        body = next(x for x in c if isinstance(x, s.Expr))
        return s.Block(
            self._span(c), self._ident(c[1]), self._parts(c, s.Parameter), body, self._where(c)
        )

    def choice(self, c: list[Any]) -> s.Choice:
        recursion = next((x for x in c if isinstance(x, s.Expr)), None)
        return s.Choice(
            self._span(c),
            self._ident(c[1]),
            self._parts(c, s.Parameter),
            recursion,
            tuple(self._of(s.Alternative, c)),
            self._where(c),
        )

    def alternative(self, c: list[Any]) -> s.Alternative:
        guard = c[5] if len(c) > 5 else None
        return s.Alternative(self._span(c), self._ident(c[1]), c[3], guard)

    def cell(self, c: list[Any]) -> s.Cell:
        graph = next(x for x in c if isinstance(x, s.Graph))
        return s.Cell(
            self._span(c), self._ident(c[1]), self._parts(c, s.Parameter), graph, self._where(c)
        )

    def network(self, c: list[Any]) -> s.NetworkBody:
        body = next(x for x in c if isinstance(x, s.Graph | s.Expr))
        return s.NetworkBody(self._span(c), body, self._where(c))

    def parameter(self, c: list[Any]) -> s.Parameter:
        return s.Parameter(self._span(c), self._ident(c[0]), c[2] if len(c) > 2 else None)

    def graph(self, c: list[Any]) -> s.Graph:
        inputs: list[s.GraphPort] = []
        outputs: list[s.Expr] = []
        for part in self._of(Part, c):
            for item in part.items:
                if isinstance(item, s.GraphPort):
                    inputs.append(item)
                else:
                    outputs.append(item)
        return s.Graph(
            self._span(c),
            tuple(inputs),
            tuple(self._of(s.Let, c)),
            tuple(self._of(s.NodeEquation, c)),
            tuple(outputs),
        )

    def ports(self, c: list[Any]) -> Part:
        items = [
            s.GraphPort(self.place(x), self._ident(x), None)
            if isinstance(x, Token) and x.type == "NAME"
            else x
            for x in c[1:]
            if not (isinstance(x, Token) and x.type != "NAME")
        ]
        return Part(items, self._span(c))

    def port(self, c: list[Any]) -> s.GraphPort:
        return s.GraphPort(self._span(c), self._ident(c[0]), c[2])

    def result(self, c: list[Any]) -> Part:
        return self._list(c)

    def node(self, c: list[Any]) -> s.NodeEquation:
        return s.NodeEquation(
            self._span(c), self._ident(c[1]), self._parts(c, s.IndexVariable), None, c[-1]
        )

    def numbered(self, c: list[Any]) -> s.NodeEquation:
        return s.NodeEquation(self._span(c), self._ident(c[1]), (), c[3], c[-1])

    def op(self, c: list[Any]) -> s.OperationDeclaration:
        tensors = [p for p in self._of(Part, c) if p.items and isinstance(p.items[0], s.Dimension)]
        facts: dict[str, s.Expr] = {}
        for part in self._of(Part, c):
            if part.items and isinstance(part.items[0], Token):
                facts[str(part.items[0])] = part.items[1]
        return s.OperationDeclaration(
            self._span(c),
            self._ident(c[1]),
            self._parts(c[2:3], s.Parameter),
            tuple(tuple(t.items) for t in tensors[:-1]),
            tuple(tensors[-1].items),
            facts.get("params"),
            facts.get("macs"),
            self.text([c[-1]]),
        )

    def tensor(self, c: list[Any]) -> Part:
        inner: Part = c[1]
        return Part(inner.items, self._span(c))

    def fact(self, c: list[Any]) -> Part:
        return Part([c[0], c[1]], self._span(c))

    # ---- expressions

    def number(self, c: list[Any]) -> s.Number:
        written = str(c[0])
        digits, scale = written, 1
        if written[-1] in _SUFFIX:
            digits, scale = written[:-1], _SUFFIX[written[-1]]
        span = self.place(c[0])
        if len(digits) > 60 or ("e" in digits.lower() and abs(int(_exponent(digits))) > 300):
            raise DiagnosticError([Diagnostic("NAS008", "this number is too long", span)])
        value: int | float
        if digits.isdigit():
            value = int(digits) * scale
        else:
            value = float(digits) * scale
            if scale > 1 and value.is_integer():
                value = int(value)
        return s.Number(span, value, written)

    def signed(self, c: list[Any]) -> s.Expr:
        inner = self.number([c[-1]])
        if len(c) == 1:
            return inner
        return s.Number(self._span(c), -inner.value, f"-{inner.written}")

    def text(self, c: list[Any]) -> s.Text:
        raw = str(c[0])[1:-1]
        out, i = [], 0
        while i < len(raw):
            if raw[i] == "\\":
                i += 1
                out.append(_ESCAPES[raw[i]])
            else:
                out.append(raw[i])
            i += 1
        return s.Text(self.place(c[0]), "".join(out))

    def truth(self, c: list[Any]) -> s.Truth:
        return s.Truth(self.place(c[0]), str(c[0]) == "true")

    def name(self, c: list[Any]) -> s.Ref:
        return s.Ref(self.place(c[0]), str(c[0]))

    def group(self, c: list[Any]) -> s.Group:
        return self._deep(s.Group(self._span(c), c[1]), c[1])

    def set(self, c: list[Any]) -> s.SetOf:
        items = self._of(s.Expr, c)
        return self._deep(s.SetOf(self._span(c), tuple(items)), *items)

    def collection(self, c: list[Any]) -> s.Collection:
        clauses = self._of(s.Clause, c)
        return self._deep(s.Collection(self._span(c), c[1], tuple(clauses)), c[1], *clauses)

    def clause(self, c: list[Any]) -> s.Clause:
        condition = c[5] if len(c) > 5 else None
        below = [c[3]] + ([condition] if condition else [])
        return self._deep(s.Clause(self._span(c), self._ident(c[1]), c[3], condition), *below)

    def argument(self, c: list[Any]) -> s.Argument:
        clauses = self._of(s.Clause, c)
        return self._deep(s.Argument(self._span(c), None, c[0], tuple(clauses)), c[0], *clauses)

    def named(self, c: list[Any]) -> s.Argument:
        return self._deep(s.Argument(self._span(c), self._ident(c[0]), c[2]), c[2])

    def call(self, c: list[Any]) -> s.Call:
        arguments = self._parts(c, s.Argument)
        return self._deep(s.Call(self._span(c), c[0], arguments), c[0], *arguments)

    def item(self, c: list[Any]) -> s.Item:
        return self._deep(s.Item(self._span(c), c[0], c[2]), c[0], c[2])

    def subscript(self, c: list[Any]) -> s.Place:
        parts = self._of(s.Expr, c)
        return self._deep(s.Place(self._span(c), tuple(parts)), *parts)

    numbers = subscript

    def member(self, c: list[Any]) -> s.Member:
        return self._deep(s.Member(self._span(c), c[0], self._ident(c[2])), c[0])

    def sign(self, c: list[Any]) -> s.Unary:
        return self._deep(s.Unary(self._span(c), "-", c[1]), c[1])

    def negation(self, c: list[Any]) -> s.Unary:
        return self._deep(s.Unary(self._span(c), "not", c[1]), c[1])

    def _fold(self, c: list[Any]) -> s.Expr:
        left: s.Expr = c[0]
        for operator, right in zip(c[1::2], c[2::2], strict=True):
            span = left.span.to(right.span)
            left = self._deep(s.Binary(span, str(operator), left, right), left, right)
        return left

    product = power = either = both = _fold

    def sum(self, c: list[Any]) -> s.Terms:
        terms = s.Terms(self._span(c), tuple(c[::2]), tuple(str(o) for o in c[1::2]))
        mixed = mixed_sum(terms)
        if mixed is not None:
            self.problems.append(mixed)
        return self._deep(terms, *terms.operands)

    def chain(self, c: list[Any]) -> s.Chain:
        return self._deep(s.Chain(self._span(c), tuple(c[::2])), *c[::2])

    def comparison(self, c: list[Any]) -> s.Compare:
        return self._deep(s.Compare(self._span(c), tuple(c[::2]), tuple(c[1::2])), *c[::2])

    def relation(self, c: list[Any]) -> str:
        return " ".join(str(t) for t in c)

    def range(self, c: list[Any]) -> s.Range:
        step = c[4] if len(c) > 3 else None
        below = [c[0], c[2]] + ([step] if step else [])
        return self._deep(s.Range(self._span(c), c[0], c[2], step), *below)

    def conditional(self, c: list[Any]) -> s.Conditional:
        return self._deep(s.Conditional(self._span(c), c[1], c[3], c[5]), c[1], c[3], c[5])

    # ---- neighborhood and constraints

    def require(self, c: list[Any]) -> s.Require:
        return s.Require(self._span(c), c[1])

    def neighborhood(self, c: list[Any]) -> s.Neighborhood:
        radius = next((x for x in c if isinstance(x, s.Expr)), None)
        return s.Neighborhood(self._span(c), tuple(self._of(s.Edit, c)), radius)

    def edit(self, c: list[Any]) -> s.Edit:
        clauses: dict[str, Any] = {}
        for part in self._of(Part, c):
            word = str(part.items[0])
            if word in clauses:
                self.problems.append(
                    Diagnostic("NAS012", f"'{word}' stands twice in this edit", part.span)
                )
            clauses[word] = part.items[1:]
        return s.Edit(
            self._span(c),
            self._ident(c[1]),
            tuple(self._of(s.Rule, c)),
            tuple(clauses.get("at", ())),
            clauses.get("where", [None])[0],
            clauses.get("weight", [None])[0],
        )

    def modifier(self, c: list[Any]) -> Part:
        items = [c[0]] + [x for x in c[1:] if not isinstance(x, Token)]
        return Part(items, self._span(c))

    def path(self, c: list[Any]) -> s.Path:
        return s.Path(self._span(c), tuple(self._ident(t) for t in c[::2]))

    def any(self, c: list[Any]) -> s.AnyRule:
        return s.AnyRule(self._span(c), c[1], c[3] if len(c) > 2 else None)

    def step(self, c: list[Any]) -> s.StepRule:
        return s.StepRule(self._span(c), c[1], c[3] if len(c) > 2 else None)

    def insert(self, c: list[Any]) -> s.InsertRule:
        return s.InsertRule(self._span(c), c[1], str(c[0]) == "insert")

    remove = insert

    def flip(self, c: list[Any]) -> s.FlipRule:
        return s.FlipRule(self._span(c), c[1], c[3] if len(c) > 2 else None)

    def pattern(self, c: list[Any]) -> Part:
        return Part(c[::2], self._span(c))

    def replace(self, c: list[Any]) -> s.ReplaceRule:
        return s.ReplaceRule(
            self._span(c), tuple(c[0].items), tuple(c[2].items), str(c[1]) == "<->"
        )

    # ---- settings

    def data(self, c: list[Any]) -> s.Settings:
        return s.Settings(self._span(c), "data", None, (c[1],))

    def train(self, c: list[Any]) -> s.Settings:
        return s.Settings(self._span(c), str(c[0]), None, tuple(c[1].items))

    report = train

    def search(self, c: list[Any]) -> s.Settings:
        entries = tuple(c[2].items) if len(c) > 2 else ()
        return s.Settings(self._span(c), "search", self._ident(c[1]), entries)

    def settings(self, c: list[Any]) -> Part:
        return self._list(c)

    def entry(self, c: list[Any]) -> s.Setting:
        arguments = self._parts(c[1:], s.Argument)
        if len(c) == 2:
            arguments = (s.Argument(c[1].span, None, c[1]),)
        return s.Setting(self._span(c), c[0], arguments)

    metric = entry

    def objective(self, c: list[Any]) -> s.Objective:
        return s.Objective(self._span(c), "objective", tuple(self._of(s.GoalSyntax, c)))

    def best(self, c: list[Any]) -> s.Objective:
        return s.Objective(self._span(c), "best", (c[1],))

    def goal(self, c: list[Any]) -> s.GoalSyntax:
        return s.GoalSyntax(self._span(c), str(c[0]), c[1])


def _exponent(digits: str) -> str:
    return digits.lower().partition("e")[2] or "0"
