"""What each use of a name is called in paths, by the order of the text."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from nasdsl.language import syntax as s


def labels_of(statements: Iterable[s.Statement], templates: Container[str]) -> dict[int, str]:
    """The label of every name and of every call that gathers a comprehension, by ``id``."""
    labels: dict[int, str] = {}
    for statement in statements:
        for body in _bodies(statement):
            labels.update(_labeled(body, templates, item=False))
    return labels


def _labeled(body: s.Syntax, templates: Container[str], item: bool) -> dict[int, str]:
    """Number the uses of each name in a body, in the order of the text."""
    labels: dict[int, str] = {}
    uses: dict[str, list[s.Ref]] = {}
    calls: list[s.Call] = []
    items: list[s.Expr] = []
    _collect(body, uses, calls, items)
    for name, refs in uses.items():
        for number, ref in enumerate(refs, 1):
            labels[id(ref)] = name if len(refs) == 1 else f"{name}@{number}"
    deciding = [r for name, refs in uses.items() if name in templates for r in refs]
    if item and len(deciding) == 1:
        labels[id(deciding[0])] = ""
    if len(calls) > 1:
        for call in calls:
            labels[id(call)] = labels[id(_root(call))]
    for inner in items:
        labels.update(_labeled(inner, templates, item=True))
    return labels


def _bodies(statement: s.Statement) -> Iterator[s.Syntax]:
    graph: Any = None
    if isinstance(statement, s.Block):
        yield statement.body
    elif isinstance(statement, s.Choice):
        yield from (a.body for a in statement.alternatives)
    elif isinstance(statement, s.Cell):
        graph = statement.graph
    elif isinstance(statement, s.NetworkBody):
        if isinstance(statement.body, s.Graph):
            graph = statement.body
        else:
            yield statement.body
    if graph is not None:
        yield from (n.body for n in graph.nodes)
        yield from graph.outputs


def _root(call: s.Call) -> s.Syntax:
    found: s.Syntax = call
    while isinstance(found, s.Call | s.Group | s.Item):
        if isinstance(found, s.Item):
            found = found.base
        else:
            found = found.callee if isinstance(found, s.Call) else found.inner
    return found


def _collect(
    part: s.Syntax, uses: dict[str, list[s.Ref]], calls: list[s.Call], items: list[s.Expr]
) -> None:
    """Names, calls with comprehensions and their items in one body; chains belong to it."""
    if isinstance(part, s.Ref):
        uses.setdefault(part.name, []).append(part)
        return
    if isinstance(part, s.Call):
        chain = isinstance(part.callee, s.Ref) and part.callee.name == "chain"
        if not chain and any(a.clauses for a in part.arguments):
            calls.append(part)
        _collect(part.callee, uses, calls, items)
        for argument in part.arguments:
            if argument.clauses and not chain:
                items.append(argument.value)
            else:
                _collect(argument.value, uses, calls, items)
            for clause in argument.clauses:
                _collect(clause, uses, calls, items)
        return
    for child in part.children():
        _collect(child, uses, calls, items)
