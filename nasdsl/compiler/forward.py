"""The text of a forward method, from a graph."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Set
from typing import Any

import torch
from torch import fx

INFIX: dict[Any, str] = {operator.add: "+", operator.mul: "*", operator.truediv: "/"}
VARIABLES = ("x", "y", "z", "u", "v", "w")
TERMS = 6
"""How many operands of a sum stand in one line."""


def forward(graph: fx.Graph) -> list[str]:
    """The lines of the method: one for a call, a blank one where a top-level part begins."""
    writer = _Writer(graph)
    results = graph.output_node().args[0]
    given = results if isinstance(results, tuple) else (results,)
    takes = ["self", *(f"{n.target}: Tensor" for n in graph.nodes if n.op == "placeholder")]
    gives = "tuple[Tensor, ...]" if isinstance(results, tuple) else "Tensor"
    lines = [f"    def forward({', '.join(takes)}) -> {gives}:"]
    part = None
    for node in writer.statements:
        if node.op == "call_module":
            begun = str(node.target).partition(".")[0] if "." in str(node.target) else None
            if begun != part and len(lines) > 1:
                lines.append("")
            part = begun
        lines.append(f"        {writer.variables[node]} = {writer.expression(node)}")
    return [*lines, f"        return {', '.join(map(writer.operand, given))}"]


class _Writer:
    """Which results are written where they are read, and the variables of the others."""

    def __init__(self, graph: fx.Graph) -> None:
        self.inlined = _inlined(graph)
        self.statements = [
            node
            for node in graph.nodes
            if node.op not in ("placeholder", "output") and node not in self.inlined
        ]
        self.variables = {n: str(n.target) for n in graph.nodes if n.op == "placeholder"}
        self._name(graph.output_node())

    def _name(self, output: fx.Node) -> None:
        """Name each result after one that is not read any more.

        Few names do, as in code by hand, and a value is let go as soon as it is not needed.
        """
        free = [name for name in VARIABLES if name not in self.variables.values()]
        last: dict[fx.Node, fx.Node] = {}
        for node in (*self.statements, output):
            last.update(dict.fromkeys(self._reads(node), node))
        arguments = set(self.variables)
        taken = {self.variables[node] for node in arguments}
        made = 0
        for node in self.statements:
            done = [v for v in dict.fromkeys(self._reads(node)) if last[v] is node]
            free[:0] = [self.variables[v] for v in done if v not in arguments]
            while not free:
                made += 1
                if f"x{made}" not in taken:
                    free.append(f"x{made}")
            self.variables[node] = free.pop(0)
            if node not in last:
                free.insert(0, self.variables[node])

    def _reads(self, node: fx.Node) -> Iterator[fx.Node]:
        for operand in node.all_input_nodes:
            if operand in self.inlined:
                yield from self._reads(operand)
            else:
                yield operand

    def expression(self, node: fx.Node) -> str:
        """The call of a node."""
        values = [self.operand(value) for value in node.args]
        named = [f"{key}={self.operand(value)}" for key, value in node.kwargs.items()]
        if node.op == "call_module":
            return f"self.{node.target}({', '.join(values)})"
        if node.op == "call_method":
            return f"{values[0]}.{node.target}({', '.join([*values[1:], *named])})"
        if node.target in INFIX:
            return f" {INFIX[node.target]} ".join(values)
        function = getattr(node.target, "__name__", "")
        assert getattr(torch, function, None) is node.target, f"{node.target} is not of torch"
        return f"torch.{function}({', '.join([*values, *named])})"

    def operand(self, value: Any) -> str:
        """A value that a call takes."""
        if isinstance(value, fx.Node):
            return self.expression(value) if value in self.inlined else self.variables[value]
        if isinstance(value, list):
            return f"[{', '.join(map(self.operand, value))}]"
        if isinstance(value, tuple):
            return f"({', '.join(map(self.operand, value))}{',' if len(value) == 1 else ''})"
        return repr(value)


def _inlined(graph: fx.Graph) -> Set[fx.Node]:
    """Results that are written where they are read: a sum that goes on, the size of a batch."""
    terms: dict[fx.Node, int] = {}
    for node in graph.nodes:
        user = next(iter(node.users), None)
        if user is None or len(node.users) > 1:
            continue
        if node.op == "call_method" and node.target == "size":
            terms[node] = 1
        elif (
            node.target in (operator.add, operator.mul)
            and user.target is node.target
            and user.args[0] is node
            and user.args[1] is not node
        ):
            before = terms.get(node.args[0], 1) + 1
            if before < TERMS:
                terms[node] = before
    return terms.keys()
