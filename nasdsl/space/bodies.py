"""Cells and networks written as graphs: nodes are equations, worked out in an order that fits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nasdsl.diagnostics import Note
from nasdsl.language import syntax as s
from nasdsl.space.decisions import Item
from nasdsl.space.emission import Types, emitted, zeros
from nasdsl.space.joining import Joiner
from nasdsl.space.late import LATE, NOTHING
from nasdsl.space.limits import EQUATION
from nasdsl.space.partial import Left, conditional
from nasdsl.space.program import COMBINING
from nasdsl.space.residual import Key, Known, On, Ret, Step, Then
from nasdsl.space.residual import Scope as Named
from nasdsl.space.values import EvaluationError, Pending, Scope, Undecided, members, subscript

_APPLIED = Note("modules in a row are applied together: (conv(8, 3) >> bn)(x)")

TensorName = tuple[str, Any]
"""A tensor of a graph: its name and its index (``None`` where it has none)."""


@dataclass(frozen=True)
class Equation:
    """One node with its index worked out."""

    name: TensorName
    body: s.Expr
    scope: Scope
    at: s.Syntax

    @property
    def label(self) -> str:
        """The node as it stands in paths: ``n[3]``."""
        return written(self.name)


def written(name: TensorName) -> str:
    """A tensor's name as it is written."""
    base, index = name
    if index is None:
        return base
    return f"{base}[{subscript(index)}]"


def _each(index: Any, at: s.Expr) -> list[Any]:
    """The indices that are written as one: those of a set, or of sets side by side."""
    if isinstance(at, s.Place):
        return list(itertools.product(*(_each(i, p) for i, p in zip(index, at.parts, strict=True))))
    return list(members(index, at.span)) if isinstance(index, tuple | range) else [index]


def graph_body(
    joiner: Joiner,
    graph: s.Graph,
    scope: Scope,
    types: Types,
    known: Known,
    use: s.Syntax,
) -> Step:
    """The step of a cell's or network's graph on inputs of these types."""
    lets = [let.binding for let in graph.lets]
    return joiner.bindings(
        lets, scope, known, lambda env, k: _Body(joiner, graph, env, types, use).step(k)
    )


class _Body:
    """One graph under one scope."""

    def __init__(self, joiner: Joiner, graph: s.Graph, scope: Scope, types: Types, use: s.Syntax):
        self.joiner = joiner
        self.graph = graph
        self.scope = scope
        self.types = types
        self.inputs = self._inputs(use)
        self.equations = self._equations()
        self.names = {n[0] for n in self.inputs} | {e.name[0] for e in self.equations}
        self.known_names = set(self.inputs) | {e.name for e in self.equations}
        if not graph.outputs:
            raise EvaluationError("NAS108", "this graph has no 'output'", graph.span)
        self.outputs = [Equation(("output", None), e, scope, e) for e in graph.outputs]
        self.order = self._sorted()
        self.last = self._last_uses()
        self.conditional = conditional([e.body for e in (*self.equations, *self.outputs)])
        self._memo: dict[Any, Step] = {}

    # ---- names

    def _inputs(self, use: s.Syntax) -> list[TensorName]:
        names: list[TensorName] = []
        for port in self.graph.inputs:
            index = None
            if port.number is not None:
                value = self.joiner.value(port.number, self.scope)
                names += [(port.name.text, v) for v in _each(value, port.number)]
                continue
            names.append((port.name.text, index))
        if len(names) != len(self.types):
            message = f"this takes {len(names)} input{'' if len(names) == 1 else 's'} ({', '.join(map(written, names))}), found {len(self.types)}"
            note = Note("the inputs are declared here", self.graph.span)
            if use is self.graph:  # the network itself, which nothing in the text applies
                note = Note("name the inputs of the space in its braces, as: input x")
            raise EvaluationError("NAS223", message, use.span, note)
        return names

    def _equations(self) -> list[Equation]:
        found: list[Equation] = []
        for node in self.graph.nodes:
            if node.number is not None:
                index = self.joiner.value(node.number, self.scope)
                found.append(Equation((node.name.text, index), node.body, self.scope, node))
            elif node.indices:
                for index, inner in self.joiner.indexed(node.indices, self.scope):
                    found.append(Equation((node.name.text, index), node.body, inner, node))
            else:
                found.append(Equation((node.name.text, None), node.body, self.scope, node))
        seen: dict[TensorName, s.Syntax] = {}
        for equation in found:
            if equation.name in seen or equation.name in self.inputs:
                notes = (
                    (Note("the first stands here", seen[equation.name].span),)
                    if equation.name in seen
                    else ()
                )
                raise EvaluationError(
                    "NAS102", f"'{equation.label}' is defined twice", equation.at.span, *notes
                )
            seen[equation.name] = equation.at
        return found

    def reference(self, expr: s.Expr, scope: Scope) -> list[TensorName] | None:
        """The tensors that a name or indexed name stands for; none if it is no tensor."""
        while isinstance(expr, s.Group):
            expr = expr.inner
        if isinstance(expr, s.Ref) and expr.name in self.names and expr.name not in scope.local:
            if (expr.name, None) in self.known_names:
                return [(expr.name, None)]
            raise EvaluationError("NAS216", f"'{expr.name}' needs an index", expr.span)
        if isinstance(expr, s.Item) and isinstance(expr.base, s.Ref):
            base = expr.base.name
            if base in self.names and base not in scope.local:
                index = self.joiner.value(expr.index, scope)
                names = [(base, i) for i in _each(index, expr.index)]
                for name in names:
                    if name not in self.known_names:
                        have = sorted(
                            (n for n in self.known_names if n[0] == base), key=lambda n: str(n[1])
                        )
                        raise EvaluationError(
                            "NAS216",
                            f"there is no '{written(name)}'; there are {', '.join(map(written, have))}",
                            expr.span,
                        )
                return names
        return None

    # ---- order

    def _reads(self, expr: s.Syntax, scope: Scope) -> set[TensorName]:
        """Every tensor that an equation may read, whatever is decided."""
        found: set[TensorName] = set()
        if isinstance(expr, s.Expr):
            try:
                names = self.reference(expr, scope)
            except Undecided:
                return self._any_tensor(expr, scope)
            if names is not None:
                return set(names)
        if isinstance(expr, s.Conditional):
            found |= self._reads(expr.condition, scope)
            try:
                return found | self._reads(self.joiner.taken(expr, scope), scope)
            except (EvaluationError, Undecided):
                return found | self._reads(expr.then, scope) | self._reads(expr.other, scope)
        if isinstance(expr, s.Argument) and expr.clauses:
            for inner in self._every(expr.clauses, scope):
                found |= self._reads(expr.value, inner)
            return found
        for child in expr.children():
            found |= self._reads(child, scope)
        return found

    def _any_tensor(self, expr: s.Expr, scope: Scope) -> set[TensorName]:
        """The tensors that an indexed name may stand for, where its index is decided late."""
        found: set[TensorName] = set()
        for known in self.joiner.late.ways(expr, lambda: self.reference(expr, scope)):
            found |= set(known or ())
        return found

    def _every(self, clauses: tuple[s.Clause, ...], scope: Scope) -> list[Scope]:
        """The scopes of a comprehension whatever is picked."""
        scopes = [scope]
        for clause in clauses:
            source = clause.source
            if isinstance(source, s.Pick | s.Some):
                source = source.source
            scopes = [
                inner.bind(**{clause.variable.text: value})
                for inner in scopes
                for value in self._any_of(source, inner)
            ]
            scopes = [inner for inner in scopes if self._may_hold(clause.condition, inner)]
        return scopes

    def _may_hold(self, condition: s.Expr | None, scope: Scope) -> bool:
        """Whether a condition can hold, as far as that is known without deciding."""
        try:
            return condition is None or self.joiner.value(condition, scope) is not False
        except (EvaluationError, Undecided):
            return True

    def _any_of(self, source: s.Expr, scope: Scope) -> Sequence[Any]:
        """The members that a set may have, also where it is decided late."""
        try:
            return members(self.joiner.value(source, scope), source.span)
        except Undecided:
            value = self.joiner.value
            sets = self.joiner.late.ways(source, lambda: value(source, scope))
            return tuple(dict.fromkeys(m for one in sets for m in members(one, source.span)))

    def _sorted(self) -> list[Equation]:
        waiting = {e.name: self._reads(e.body, e.scope) for e in self.equations}
        self.reads = dict(waiting)
        done = set(self.inputs)
        order: list[Equation] = []
        left = list(self.equations)
        while left:
            ready = next((e for e in left if waiting[e.name] <= done), None)
            if ready is None:
                self._cycle(left, waiting)
            assert ready is not None
            order.append(ready)
            done.add(ready.name)
            left.remove(ready)
        return order

    def _cycle(self, left: list[Equation], waiting: dict[TensorName, set[TensorName]]) -> None:
        at = left[0]
        path = [at.name]
        pending = {e.name: e for e in left}
        while True:
            following = next(n for n in sorted(waiting[path[-1]], key=str) if n in pending)
            if following in path:
                loop = path[path.index(following) :]
                break
            path.append(following)
        shown_loop = " needs ".join(written(n) for n in [*loop, loop[0]])
        raise EvaluationError("NAS109", f"a cycle: {shown_loop}", pending[loop[0]].at.span)

    def _last_uses(self) -> dict[TensorName, int]:
        last: dict[TensorName, int] = {}
        bodies = [e.body for e in (*self.equations, *self.outputs)]
        if self.inputs and any(
            isinstance(part, s.Argument) and part.clauses for b in bodies for part in b.walk()
        ):
            # A sum over nothing is zeros of the first input's type.
            last[self.inputs[0]] = len(self.order)
        for position, equation in enumerate(self.order):
            for name in self.reads[equation.name]:
                last[name] = max(position, last.get(name, -1))
        for output in self.outputs:
            for name in self._reads(output.body, output.scope):
                last[name] = len(self.order)
        return last

    # ---- steps

    def step(self, known: Known) -> Step:
        """All equations, then the output."""
        if len(self.outputs) != 1:
            raise EvaluationError(
                "NAS229",
                "a graph has one output; join several by concat or add",
                self.outputs[1].at.span,
            )
        return self._from(0, tuple(self.inputs), self.types, known)

    def _from(
        self, position: int, live: tuple[TensorName, ...], types: Types, known: Known
    ) -> Step:
        late = self.joiner.late
        if late.active:
            known = late.forgotten(known, late.needed.union(*self._later_reads(position)))
        key = (position, types, *self._state(position, known))
        found = self._memo.get(key)
        if found is None:
            self.joiner.effort.spend(self.graph, EQUATION)
            found = late.branching(
                known,
                lambda k: self._continue(position, live, types, k),
                self.joiner.fail,
            )
            self._memo[key] = found
        return found

    def _state(self, position: int, known: Known) -> tuple[Known, tuple[Any, ...]]:
        """What is known as far as it matters from a position on."""
        late = self.joiner.late
        if not (late.active and self.conditional and any(o[0] == LATE for o in known)):
            return known, ()
        later = [(e.body, e.scope) for e in (*self.order[position:], *self.outputs)]
        return Left(late).state(known, later)

    def _later_reads(self, position: int) -> list[frozenset[Pending]]:
        """The late values that the equations from a position on read, and the output."""
        late = self.joiner.late
        equations = [*self.order[position:], *self.outputs]
        return [late.reads(e.body, e.scope) for e in equations]

    def _continue(
        self, position: int, live: tuple[TensorName, ...], types: Types, known: Known
    ) -> Step:
        kept = [i for i, n in enumerate(live) if self.last.get(n, -1) >= position]
        if len(kept) < len(live):
            inner = self._from(
                position, tuple(live[i] for i in kept), tuple(types[i] for i in kept), known
            )
            return On(tuple(kept), inner)
        if position == len(self.order):
            return self._tensor(self.outputs[0].body, self.scope, live, types, known)
        equation = self.order[position]
        late = self.joiner.late
        with late.needing(*(self._later_reads(position + 1) if late.active else ())):
            made = self._tensor(equation.body, equation.scope, live, types, known)
        first = Named(equation.label, made)
        rest = {
            k: self._from(position + 1, (*live, equation.name), (*types, k[0]), k[1])
            for k in first.outcomes
        }
        return Then(first, rest, keep=True)

    def _tensor(
        self, expr: s.Expr, scope: Scope, live: tuple[TensorName, ...], types: Types, known: Known
    ) -> Step:
        """The step that gives the tensor of an expression. The frame is the live tensors."""
        try:
            return self._tensor_of(expr, scope, live, types, known)
        except EvaluationError as error:
            return self.joiner.fail(error, known)

    def _tensor_of(
        self, expr: s.Expr, scope: Scope, live: tuple[TensorName, ...], types: Types, known: Known
    ) -> Step:
        names = self.reference(expr, scope)
        if names is not None:
            if len(names) != 1:
                raise EvaluationError(
                    "NAS230",
                    f"expected one tensor, found {len(names)}; concat or add them",
                    expr.span,
                )
            index = live.index(names[0])
            return Ret(index, (types[index], known))
        if isinstance(expr, s.Group):
            return self._tensor_of(expr.inner, scope, live, types, known)
        if isinstance(expr, s.Conditional):
            return self._tensor_of(self.joiner.taken(expr, scope), scope, live, types, known)
        if isinstance(expr, s.Terms) and "-" not in expr.operators:
            op = "concat" if "++" in expr.operators else "add"
            arguments = [s.Argument(o.span, None, o) for o in expr.operands]
            return self._operate(op, op, expr, arguments, scope, live, types, known)
        if isinstance(expr, s.Call):
            callee = expr.callee
            while isinstance(callee, s.Group):
                callee = callee.inner
            if isinstance(callee, s.Ref) and callee.name in COMBINING and callee.name not in scope:
                op = "add" if callee.name == "sum" else callee.name
                label = self.joiner.labels.get(id(callee), callee.name)
                return self._operate(op, label, expr, expr.arguments, scope, live, types, known)
            return self._applied(expr, scope, live, types, known)
        raise EvaluationError(
            "NAS231",
            "expected a tensor: a node, an input, or a module applied to one, as conv(8, 3)(x)",
            expr.span,
            *([_APPLIED] if isinstance(expr, s.Chain) else []),
        )

    def _operate(
        self,
        op: str,
        label: str,
        at: s.Expr,
        arguments: Sequence[s.Argument],
        scope: Scope,
        live: tuple[TensorName, ...],
        types: Types,
        known: Known,
    ) -> Step:
        operation = self.joiner.operations[op]

        def finish(items: list[Item], k: Known) -> Step:
            places = [place for item in items for place in self._made(item)]

            def combined(indices: tuple[int, ...], frame: Types, kk: Known) -> Step:
                if not indices:
                    return self._nothing(live, kk, at)
                chosen = tuple(frame[i] for i in indices)
                return emitted(operation, {}, chosen, kk, at, label, indices, places)

            return self._gather(items, live, types, k, combined)

        made = self.joiner.expand(arguments, scope, known, finish)
        return self.joiner.gathered(at, made)

    def _made(self, item: Item) -> list[s.Expr]:
        """Where the tensors of an operand are made: nodes by their equations."""
        names = self.reference(item.expr, item.scope)
        if names is None:
            return [item.expr]
        bodies = {e.name: e.body for e in self.equations}
        return [bodies.get(name, item.expr) for name in names]

    def _nothing(self, live: tuple[TensorName, ...], known: Known, at: s.Expr) -> Step:
        if not self.inputs:
            raise EvaluationError("NAS220", "the sum of nothing has no shape here", at.span)
        return zeros(
            self.joiner.operations["zero"], self.types[0], (live.index(self.inputs[0]),), known, at
        )

    def _applied(
        self, call: s.Call, scope: Scope, live: tuple[TensorName, ...], types: Types, known: Known
    ) -> Step:
        if not self.joiner.is_module(call.callee, scope):
            self.joiner.value(call.callee, scope)
            raise EvaluationError("NAS107", "expected a module here", call.callee.span)
        if not any(self._mentions(a) for a in call.arguments):
            written = " ".join(call.span.text.split())
            raise EvaluationError(
                "NAS231",
                f"expected a tensor, and '{written}' is a module; apply it to one, as {written}(x)",
                call.span,
            )
        if any(a.name is not None for a in call.arguments):
            raise EvaluationError("NAS104", "inputs of a module have no names", call.span)

        def finish(items: list[Item], k: Known) -> Step:
            def applied(indices: tuple[int, ...], frame: Types, kk: Known) -> Step:
                chosen = tuple(frame[i] for i in indices)
                return On(indices, self.joiner.apply(call.callee, scope, chosen, kk))

            reads = self.joiner.late.reads(call.callee, scope)
            return self._gather(items, live, types, k, applied, reads)

        made = self.joiner.expand(call.arguments, scope, known, finish)
        return self.joiner.gathered(call, made)

    def _mentions(self, part: s.Syntax) -> bool:
        """Whether a node or input of this graph is named anywhere in it."""
        return any(isinstance(p, s.Ref) and p.name in self.names for p in part.walk())

    def _gather(
        self,
        items: list[Item],
        live: tuple[TensorName, ...],
        types: Types,
        known: Known,
        finish: Any,
        reads: frozenset[Pending] = NOTHING,
    ) -> Step:
        """Work out tensors one after another, then go on with their places in the frame.

        ``reads``: the late values that what follows reads.
        """
        late = self.joiner.late

        def go(at: int, indices: tuple[int, ...], frame: Types, k: Known) -> Step:
            while at < len(items):
                item = items[at]
                names = self.reference(item.expr, item.scope)
                if names is None:
                    break
                indices += tuple(live.index(n) for n in names)
                at += 1
            else:
                made: Step = finish(indices, frame, k)
                return made
            rest_of = items[at + 1 :] if late.active else ()
            with late.needing(reads, *(late.reads(i.expr, i.scope) for i in rest_of)):
                base = self._tensor(item.expr, item.scope, live, types, k)
            step = base if len(frame) == len(types) else On(tuple(range(len(types))), base)
            if item.label is not None:
                step = Named(item.label, step)
            rest: dict[Key, Step] = {}
            for key in step.outcomes:
                place = len(frame)
                try:
                    rest[key] = go(at + 1, (*indices, place), (*frame, key[0]), key[1])
                except EvaluationError as error:
                    rest[key] = self.joiner.fail(error, key[1])
            return Then(step, rest, keep=True)

        return go(0, (), types, known)
