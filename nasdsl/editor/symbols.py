"""What every name of a text means: declarations, their scopes, and their uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nasdsl.diagnostics import Span
from nasdsl.language import syntax as s

Kind = Literal[
    "space", "input", "output", "let", "block", "choice", "cell", "op", "parameter", "binding",
    "alternative", "index", "node", "edit",
]  # fmt: skip

_KEYED = re.compile(r"\{\s*([A-Za-z_]\w*)")


@dataclass(frozen=True, eq=False)
class Symbol:
    """A declared name.

    Attributes:
        name: as it is written.
        kind: what it is declared as; ``binding`` stands in a ``where``.
        span: the name where it is declared.
        node: the syntax that declares it.
        owner: the statement around it.
    """

    name: str
    kind: Kind
    span: Span
    node: s.Syntax
    owner: s.Statement


@dataclass(frozen=True, eq=False)
class Use:
    """A name where it is used. A label that several choices have means all of them."""

    span: Span
    symbols: tuple[Symbol, ...]


@dataclass
class Index:
    """The names of a text."""

    symbols: list[Symbol] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    top: dict[str, Symbol] = field(default_factory=dict)
    """What the whole text sees."""
    scopes: list[tuple[Span, dict[str, Symbol]]] = field(default_factory=list)
    """Names that only a stretch of the text sees, outer stretches first."""

    def at(self, offset: int) -> tuple[Span, tuple[Symbol, ...]] | None:
        """The name at an offset, or just before it, and what it means."""
        for shift in (offset, offset - 1):
            for symbol in self.symbols:
                if symbol.span.start <= shift < symbol.span.end:
                    return symbol.span, (symbol,)
            for use in self.uses:
                if use.span.start <= shift < use.span.end:
                    return use.span, use.symbols
        return None

    def visible(self, offset: int) -> dict[str, Symbol]:
        """The names that may be used at an offset; inner ones hide outer ones."""
        found = dict(self.top)
        for span, names in self.scopes:
            if span.start <= offset <= span.end:
                found.update(names)
        return found

    def places(self, symbols: Iterable[Symbol]) -> list[Span]:
        """Where symbols are declared and used, in the order of the text."""
        wanted = set(symbols)
        found = [x.span for x in self.symbols if x in wanted]
        found += [u.span for u in self.uses if wanted & set(u.symbols)]
        return sorted(found, key=lambda span: span.start)


def index(statements: Sequence[s.Statement]) -> Index:
    """The names of a text from its statements."""
    return _Indexer(statements).run()


class _Indexer:
    def __init__(self, statements: Sequence[s.Statement]):
        self.statements = statements
        self.found = Index()
        self.labels: dict[str, list[Symbol]] = {}
        self.members: dict[tuple[int, str], Symbol] = {}
        """Parameters, alternatives and nodes by the declaration they belong to."""
        self.decided: dict[str, list[Symbol]] = {}
        """Names that constraints, edits and keys may read, wherever they are declared."""
        self.owner: s.Statement

    def run(self) -> Index:
        """Declarations first, since the order of statements is free; then what they read."""
        for statement in self.statements:
            self.owner = statement
            self._declare(statement)
        for statement in self.statements:
            self.owner = statement
            self._statement(statement)
        return self.found

    # ---- declarations

    def _symbol(self, name: s.Ident, kind: Kind, node: s.Syntax) -> Symbol:
        symbol = Symbol(name.text, kind, name.span, node, self.owner)
        self.found.symbols.append(symbol)
        return symbol

    def _declare(self, st: s.Statement) -> None:
        top = self.found.top
        if isinstance(st, s.SpaceName):
            self._symbol(st.name, "space", st)
        elif isinstance(st, s.Port):
            self._symbol(st.name, "input" if st.direction == "input" else "output", st)
        elif isinstance(st, s.Let):
            symbol = self._symbol(st.name, "let", st)
            top.setdefault(st.name.text, symbol)
            self.decided.setdefault(st.name.text, []).append(symbol)
            self._parameters(st, st.parameters or ())
        elif isinstance(st, s.Block | s.Choice | s.Cell | s.OperationDeclaration):
            kinds: dict[type, Kind] = {s.Block: "block", s.Choice: "choice", s.Cell: "cell"}
            symbol = self._symbol(st.name, kinds.get(type(st), "op"), st)
            top.setdefault(st.name.text, symbol)
            self.decided.setdefault(st.name.text, []).append(symbol)
            self._parameters(st, st.parameters)
        if isinstance(st, s.Choice):
            for alternative in st.alternatives:
                label = self._symbol(alternative.name, "alternative", alternative)
                self.labels.setdefault(label.name, []).append(label)
                self.members[id(st), label.name] = label
        graph = st.graph if isinstance(st, s.Cell) else None
        if isinstance(st, s.NetworkBody) and isinstance(st.body, s.Graph):
            graph = st.body
        if graph is not None:
            self._graph_names(st, graph)
        if isinstance(st, s.Block | s.Choice | s.Cell | s.NetworkBody):
            for binding in st.where:
                self._member(st, binding.name, "binding", binding)

    def _graph_names(self, st: s.Statement, graph: s.Graph) -> None:
        for let in graph.lets:
            self._member(st, let.name, "binding", let.binding)
        for port in graph.inputs:
            self._member(st, port.name, "node", port)
        for node in graph.nodes:
            self._member(st, node.name, "node", node)

    def _member(self, st: s.Statement, name: s.Ident, kind: Kind, node: s.Syntax) -> None:
        """A name inside a declaration; ``n[0]`` and ``n[1]`` are one name."""
        known = self.members.get((id(st), name.text))
        if known is not None:
            self.found.uses.append(Use(name.span, (known,)))
            return
        symbol = self._symbol(name, kind, node)
        self.members[id(st), name.text] = symbol
        self.decided.setdefault(name.text, []).append(symbol)

    def _parameters(self, st: s.Statement, parameters: Iterable[s.Parameter]) -> None:
        for parameter in parameters:
            if (id(st), parameter.name.text) not in self.members:
                symbol = self._symbol(parameter.name, "parameter", parameter)
                self.members[id(st), parameter.name.text] = symbol

    # ---- what is read

    def _statement(self, st: s.Statement) -> None:
        if isinstance(st, s.Let):
            names = self._named(st, "parameter")
            self._scope(st, names)
            self._binding(st.binding, names)
            self._defaults(st.parameters or (), {})
        elif isinstance(st, s.Block | s.Choice | s.Cell | s.NetworkBody):
            self._template(st)
        elif isinstance(st, s.OperationDeclaration):
            names = self._named(st, "parameter")
            self._scope(st, names)
            for child in st.children():
                if not isinstance(child, s.Parameter):
                    self._read(child, names)
            for dimension in (*(d for t in st.inputs for d in t), *st.output):
                self._read(dimension.size, names)
        elif isinstance(st, s.Require):
            self._scope(st, {n: found[0] for n, found in {**self.labels, **self.decided}.items()})
            self._anywhere(st.condition)
        elif isinstance(st, s.Neighborhood):
            for edit in st.edits:
                self._edit(edit)
            if st.radius is not None:
                self._read(st.radius, {})
        elif isinstance(st, s.KeyTemplate):
            self._key(st.template)
        else:
            for child in st.children():
                if not isinstance(child, s.Ident):
                    self._read(child, {})

    def _named(self, st: s.Statement, *kinds: Kind) -> dict[str, Symbol]:
        return {n: x for (of, n), x in self.members.items() if of == id(st) and x.kind in kinds}

    def _scope(self, part: s.Syntax, names: dict[str, Symbol]) -> None:
        if names:
            self.found.scopes.append((part.span, names))

    def _defaults(self, parameters: Iterable[s.Parameter], names: dict[str, Symbol]) -> None:
        for parameter in parameters:
            if parameter.default is not None:
                self._read(parameter.default, names)

    def _template(self, st: s.Block | s.Choice | s.Cell | s.NetworkBody) -> None:
        names = {} if isinstance(st, s.NetworkBody) else self._named(st, "parameter")
        if not isinstance(st, s.NetworkBody):
            self._defaults(st.parameters, names)
        names = {**names, **self._named(st, "binding")}
        self._scope(st, names)
        for binding in st.where:
            self._binding(binding, names)
        if isinstance(st, s.Choice):
            if st.recursion is not None:
                self._read(st.recursion, names)
            for alternative in st.alternatives:
                self._read(alternative.body, names)
                if alternative.guard is not None:
                    self._read(alternative.guard, names)
            return
        body = st.graph if isinstance(st, s.Cell) else st.body
        if isinstance(body, s.Graph):
            self._graph(st, body, names)
        else:
            self._read(body, names)

    def _graph(self, st: s.Statement, graph: s.Graph, names: dict[str, Symbol]) -> None:
        names = {**names, **self._named(st, "node")}
        self._scope(graph, names)
        for let in graph.lets:
            self._binding(let.binding, names)
        for port in graph.inputs:
            if port.number is not None:
                self._read(port.number, names)
        for node in graph.nodes:
            inner = self._indices(node, node.indices, names)
            if node.number is not None:
                self._read(node.number, names)
            self._read(node.body, inner)
        for output in graph.outputs:
            self._read(output, names)

    def _binding(self, binding: s.Binding, names: dict[str, Symbol]) -> None:
        self._read(binding.source, self._indices(binding, binding.indices, names))

    def _indices(
        self, part: s.Syntax, indices: Iterable[s.IndexVariable], names: dict[str, Symbol]
    ) -> dict[str, Symbol]:
        own: dict[str, Symbol] = {}
        for variable in indices:
            self._read(variable.source, {**names, **own})
            own[variable.name.text] = self._symbol(variable.name, "index", variable)
        self._scope(part, own)
        return {**names, **own}

    # ---- expressions

    def _read(self, part: s.Syntax, names: dict[str, Symbol]) -> None:
        """The uses below a part, by an explicit stack since a text may be nested deeply."""
        todo: list[tuple[s.Syntax, dict[str, Symbol]]] = [(part, names)]
        while todo:
            top, seen = todo.pop()
            if isinstance(top, s.Ref):
                symbol = seen.get(top.name) or self.found.top.get(top.name)
                if symbol is not None:
                    self.found.uses.append(Use(top.span, (symbol,)))
                continue
            if isinstance(top, s.Argument | s.Collection) and top.clauses:
                seen = self._clauses(top, seen)
                todo.append((top.value if isinstance(top, s.Argument) else top.item, seen))
                continue
            if isinstance(top, s.Call):
                self._argument_names(top, seen)
            todo += [(c, seen) for c in top.children() if not isinstance(c, s.Ident)]

    def _clauses(
        self, part: s.Argument | s.Collection, names: dict[str, Symbol]
    ) -> dict[str, Symbol]:
        own: dict[str, Symbol] = {}
        for clause in part.clauses:
            self._read(clause.source, {**names, **own})
            own[clause.variable.text] = self._symbol(clause.variable, "index", clause)
            if clause.condition is not None:
                self._read(clause.condition, {**names, **own})
        self._scope(part, own)
        return {**names, **own}

    def _argument_names(self, call: s.Call, names: dict[str, Symbol]) -> None:
        if not isinstance(call.callee, s.Ref):
            return
        symbol = names.get(call.callee.name) or self.found.top.get(call.callee.name)
        if symbol is None:
            return
        for argument in call.arguments:
            if argument.name is not None:
                parameter = self.members.get((id(symbol.node), argument.name.text))
                if parameter is not None and parameter.kind == "parameter":
                    self.found.uses.append(Use(argument.name.span, (parameter,)))

    # ---- edits, constraints, keys: names of decisions, wherever they are declared

    def _global(self, name: str) -> tuple[Symbol, ...]:
        top = self.found.top.get(name)
        if top is not None:
            return (top,)
        found = [x for x in self.decided.get(name, ()) if x.kind in ("binding", "node")]
        return tuple(found) or tuple(self.labels.get(name, ()))

    def _anywhere(self, expr: s.Syntax) -> None:
        bound = {c.variable.text for c in expr.walk() if isinstance(c, s.Clause)}
        local: dict[str, Symbol] = {}
        for part in expr.walk():
            if isinstance(part, s.Clause):
                local[part.variable.text] = self._symbol(part.variable, "index", part)
        for part in expr.walk():
            if isinstance(part, s.Ref):
                symbols = (local[part.name],) if part.name in bound else self._global(part.name)
                self._used(part.span, symbols)
            elif isinstance(part, s.Member):
                self._qualified(part)

    def _used(self, span: Span, symbols: tuple[Symbol, ...]) -> None:
        if symbols:
            self.found.uses.append(Use(span, symbols))

    def _qualified(self, member: s.Member) -> None:
        """``Join.add``: a label by its choice."""
        if isinstance(member.base, s.Ref):
            owner = self.found.top.get(member.base.name)
            label = owner and self.members.get((id(owner.node), member.name.text))
            if label:
                self._used(member.name.span, (label,))

    def _edit(self, edit: s.Edit) -> None:
        self._symbol(edit.name, "edit", edit)
        for rule in edit.rules:
            for child in rule.children():
                if isinstance(child, s.Path):
                    self._path(child)
                elif isinstance(rule, s.ReplaceRule):
                    self._pattern(child)
                else:
                    self._read(child, {})
        for path in edit.at:
            self._path(path)
        if edit.where is not None:
            self._anywhere(edit.where)
        if edit.weight is not None:
            self._read(edit.weight, {})

    def _path(self, path: s.Path) -> None:
        symbols = self._global(path.parts[0].text)
        self._used(path.parts[0].span, symbols)
        if len(path.parts) > 1 and symbols:
            inner = self.members.get((id(symbols[0].node), path.parts[1].text))
            self._used(path.parts[1].span, (inner,) if inner else ())

    def _pattern(self, pattern: s.Syntax) -> None:
        """A label, or operations; names given to settings there are variables of the rule."""
        if isinstance(pattern, s.Ref):
            labels = tuple(self.labels.get(pattern.name, ()))
            self._used(pattern.span, labels or self._global(pattern.name))
        elif isinstance(pattern, s.Member):
            if isinstance(pattern.base, s.Ref):
                self._used(pattern.base.span, self._global(pattern.base.name))
            self._qualified(pattern)

    def _key(self, template: s.Text) -> None:
        """``{n[1].0}``: the name at the beginning of each hole."""
        for match in _KEYED.finditer(template.span.text):
            start = template.span.start + match.start(1)
            span = Span(template.span.source, start, start + len(match.group(1)))
            self._used(span, self._global(match.group(1)))


def shadows(found: Index, symbol: Symbol, name: str) -> Iterator[Symbol]:
    """Symbols that already have a name and could be confused with ``symbol`` under it."""
    scopes = [(span, names) for span, names in found.scopes if symbol in names.values()]
    for other in found.symbols:
        if other is symbol or other.name != name or other.kind in ("space", "edit"):
            continue
        both_top = other in found.top.values() and symbol in found.top.values()
        inside = any(span.start <= other.span.start < span.end for span, _ in scopes)
        around = any(
            other in names.values() and span.start <= symbol.span.start < span.end
            for span, names in found.scopes
        )
        crossed = symbol in found.top.values() or other in found.top.values()
        if both_top or inside or around or crossed or other.kind == symbol.kind == "alternative":
            yield other
