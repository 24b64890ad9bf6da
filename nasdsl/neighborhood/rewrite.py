"""Graph rewrites: a chain of operations replaced by others, wherever it stands.

``conv(c, 5) -> conv(c, 3) >> conv(c, 3)``: words that are no operation, setting or ``let`` are
variables. Settings that the pattern does not name match anything, and are inherited by the
operations of the same name on the right, in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nasdsl.diagnostics import problem, suggestion
from nasdsl.graph.live import live
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.language import syntax as s
from nasdsl.operations.operation import Operation, ShapeError
from nasdsl.operations.resolve import SettingError, resolve
from nasdsl.space.evaluate import Evaluator
from nasdsl.space.outside import retyped
from nasdsl.space.program import Program
from nasdsl.space.values import Closure, EvaluationError, Scope


@dataclass(frozen=True)
class Part:
    """One operation of a pattern: its name, and what its settings must be or are bound to."""

    op: str
    settings: tuple[tuple[str, s.Expr], ...]
    span: Any


@dataclass(frozen=True)
class Rewrite:
    """A graph rewrite: any of the chains before becomes the chain after; one or both ways."""

    ways: tuple[tuple[tuple[tuple[Part, ...], ...], tuple[Part, ...]], ...]
    program: Program
    operations: Mapping[str, Operation]

    def apply(self, network: Network) -> Iterator[tuple[Node, Network]]:
        """Each place where the pattern fits, by its first operation, with the new network.

        Places come in the order of the network. Where the result's shapes do not fit, there is
        no neighbor.
        """
        users: dict[str, int] = dict.fromkeys(network.outputs, 1)
        following: dict[str, Node] = {}
        for node in network.nodes:
            for operand in node.inputs:
                users[operand] = users.get(operand, 0) + 1
                following[operand] = node
        for node in network.nodes:
            for before, after in self.ways:
                for pattern in before:
                    found = self._match(pattern, node, users, following)
                    if found is not None:
                        made = self._replaced(network, *found, after)
                        if made is not None:
                            yield node, made

    def _match(
        self,
        pattern: tuple[Part, ...],
        start: Node,
        users: Mapping[str, int],
        following: Mapping[str, Node],
    ) -> tuple[list[Node], dict[str, Any]] | None:
        chain: list[Node] = []
        bound: dict[str, Any] = {}
        node: Node | None = start
        for index, part in enumerate(pattern):
            if node is None or node.op != part.op or len(node.inputs) != 1:
                return None
            for name, expr in part.settings:
                if not self._fits(expr, node.settings.get(name), bound):
                    return None
            chain.append(node)
            if index + 1 < len(pattern):
                node = following.get(node.id) if users.get(node.id) == 1 else None
        return chain, bound

    def _fits(self, expr: s.Expr, value: Any, bound: dict[str, Any]) -> bool:
        name = variable(expr, self.program)
        if name is not None:
            if name in bound:
                return bool(bound[name] == value)
            bound[name] = value
            return True
        if isinstance(expr, s.Ref) and isinstance(value, str):
            return expr.name == value
        try:
            return bool(Evaluator(self.program).value(expr, Scope(local=bound)) == value)
        except EvaluationError:
            return False

    def _replaced(
        self,
        network: Network,
        chain: list[Node],
        bound: Mapping[str, Any],
        after: tuple[Part, ...],
    ) -> Network | None:
        gone = {n.id for n in chain}
        end = chain[-1].id
        taken = {n.id for n in network.nodes}
        made: list[Node] = []
        handle = chain[0].inputs[0]
        inherited: dict[str, list[Node]] = {}
        for node in chain:
            inherited.setdefault(node.op, []).append(node)
        for part in after:
            operation = self.operations[part.op]
            model = inherited.get(part.op, [])
            source = model.pop(0) if len(model) > 1 else model[0] if model else None
            settings = dict(source.settings) if source is not None else {}
            try:
                for name, expr in part.settings:
                    settings[name] = self._value(expr, bound)
                settings = resolve(operation, (), settings)
            except (SettingError, EvaluationError):
                return None
            base = source.id if source is not None and source.id not in {n.id for n in made} else ""
            name = base or _fresh(f"{chain[0].id}.{part.op}", taken)
            taken.add(name)
            made.append(Node(name, part.op, settings, (handle,), chain[0].type, span=chain[0].span))
            handle = name
        nodes: list[Node] = []
        for node in network.nodes:
            if node.id == chain[0].id:
                nodes += made
            if node.id in gone:
                continue
            inputs = tuple(handle if i == end else i for i in node.inputs)
            nodes.append(
                Node(node.id, node.op, node.settings, inputs, node.type, node.cost, node.span)
            )
        outputs = tuple(handle if o == end else o for o in network.outputs)
        try:
            typed = retyped(_ordered(nodes), self.operations)
        except ShapeError:
            return None
        types = {n.id: n.type for n in typed}
        if [types[o] for o in outputs] != [network.by_id[o].type for o in network.outputs]:
            return None
        return live(typed, outputs, network.name, self.operations)

    def _value(self, expr: s.Expr, bound: Mapping[str, Any]) -> Any:
        if (
            isinstance(expr, s.Ref)
            and expr.name not in bound
            and expr.name not in self.program.lets
        ):
            return expr.name
        value = Evaluator(self.program).value(expr, Scope(local=dict(bound)))
        if isinstance(value, Closure):
            return value.expr.span.text
        return value


def _fresh(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}~{number}" in taken:
        number += 1
    return f"{name}~{number}"


def _ordered(nodes: list[Node]) -> tuple[Node, ...]:
    """Nodes in topological order, as near to the given order as can be."""
    done: set[str] = set()
    order: list[Node] = []
    left = nodes
    while left:
        later = []
        for node in left:
            if all(i in done for i in node.inputs):
                order.append(node)
                done.add(node.id)
            else:
                later.append(node)
        if len(later) == len(left):
            raise ShapeError("the rewrite makes a cycle")
        left = later
    return tuple(order)


# ---- from text


def variable(expr: s.Expr, program: Program) -> str | None:
    """The variable that an expression of a pattern is, if it is one."""
    if (
        isinstance(expr, s.Ref)
        and expr.name not in program.lets
        and expr.name not in program.templates
    ):
        return expr.name
    return None


def read_pattern(
    expr: s.Expr, program: Program, operations: Mapping[str, Operation]
) -> tuple[Part, ...]:
    """A chain of operations as a pattern; blocks without choices are written out."""
    while isinstance(expr, s.Group):
        expr = expr.inner
    if isinstance(expr, s.Chain):
        return tuple(p for part in expr.parts for p in read_pattern(part, program, operations))
    call = expr if isinstance(expr, s.Call) else None
    callee = call.callee if call else expr
    if not isinstance(callee, s.Ref):
        raise problem(
            "NAS342", "a rewrite is a chain of operations, as conv(c, 3) >> bn", expr.span
        )
    operation = operations.get(callee.name)
    if operation is None or callee.name == INPUT:
        raise problem(
            "NAS341",
            f"'{callee.name}' is no operation and no alternative{suggestion(callee.name, operations)}",
            callee.span,
        )
    names = [p.name for p in operation.parameters]
    settings: list[tuple[str, s.Expr]] = []
    for index, argument in enumerate(call.arguments if call else ()):
        name = argument.name.text if argument.name else names[index] if index < len(names) else ""
        if name not in names:
            wrong = argument.name.text if argument.name else "so many values"
            raise problem(
                "NAS104",
                f"'{callee.name}' has no parameter '{wrong}'{suggestion(wrong, names)}",
                argument.span,
            )
        settings.append((name, argument.value))
    if callee.name == "identity":
        return ()
    return (Part(callee.name, tuple(settings), expr.span),)


def free_variables(parts: tuple[Part, ...], program: Program) -> set[str]:
    """The variables of a pattern."""
    found = set()
    for part in parts:
        for _, expr in part.settings:
            for ref in expr.walk():
                if isinstance(ref, s.Ref):
                    name = variable(ref, program)
                    if name is not None:
                        found.add(name)
    return found
