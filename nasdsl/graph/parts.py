"""A network seen from further away: a part of it, or with parts folded into one box each."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from nasdsl.diagnostics import problem, suggestion
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Cost

_PLAIN = re.compile(r"(@\d+)?(\[[^\]]*\])*$")


def places(network: Network) -> list[str]:
    """The names of templates, nodes and alternatives that stand in the paths of a network."""
    found = {_plain(s): None for n in network.nodes for s in n.id.split(".")[:-1]}
    return [name for name in found if not name.isdigit()]


def part(network: Network, name: str) -> Network:
    """What the first use of a template (or a node of that name) holds.

    What comes in from elsewhere becomes inputs, named by where it is made. Raises
    :class:`~nasdsl.diagnostics.DiagnosticError` where there is no such place.
    """
    prefix = next((p for n in network.nodes if (p := _through(n.id, {name}))), None)
    if prefix is None:
        known = places(network)
        raise problem("NAS906", f"the network has no part '{name}'{suggestion(name, known)}")
    inside = [n for n in network.nodes if n.id.startswith(prefix + ".")]
    held = {n.id for n in inside}
    inputs: dict[str, Node] = {}
    for operand in (o for n in inside for o in n.inputs if o not in held):
        source = network.by_id[operand]
        at = source.id if source.op == INPUT else ".".join(source.id.split(".")[:-1]) or source.id
        inputs.setdefault(operand, Node(f"{at}#{len(inputs)}", INPUT, {}, (), source.type))
    nodes = [
        _reading(n, tuple(inputs[o].id if o in inputs else o for o in n.inputs)) for n in inside
    ]
    used = {o for n in network.nodes if n.id not in held for o in n.inputs} | set(network.outputs)
    outputs = tuple(n.id for n in inside if n.id in used)
    return Network((*inputs.values(), *nodes), outputs, prefix)


def fold_places(network: Network, names: Collection[str]) -> Network:
    """Every use of these templates as one node, where it has one result."""

    def group(node: Node) -> tuple[str, str] | None:
        prefix = _through(node.id, names)
        return (prefix, _plain(prefix.rpartition(".")[2])) if prefix else None

    return _folded(network, group)


def fold_choices(network: Network, decisions: Mapping[str, Any]) -> Network:
    """Every alternative that was chosen as one node, under its label."""
    labels = {str(value) for value in decisions.values() if isinstance(value, str)}

    def group(node: Node) -> tuple[str, str] | None:
        segments = node.id.split(".")
        for at, segment in enumerate(segments[:-1]):
            if segment in labels:
                return ".".join(segments[: at + 1]), segment
        return None

    return _folded(network, group)


def _reading(node: Node, inputs: tuple[str, ...]) -> Node:
    """A node with other operands."""
    return Node(node.id, node.op, node.settings, inputs, node.type, node.cost, node.span)


def _through(id: str, names: Collection[str]) -> str | None:
    """The path up to the first segment that is one of these names."""
    segments = id.split(".")
    for at, segment in enumerate(segments[:-1]):
        if _plain(segment) in names:
            return ".".join(segments[: at + 1])
    return None


def _plain(segment: str) -> str:
    """A segment of a path without the order of the use and the copy's index."""
    return _PLAIN.sub("", segment)


def _folded(network: Network, group: Callable[[Node], tuple[str, str] | None]) -> Network:
    """Nodes of one group as one, if it has one result; others as they are."""
    members: dict[str, list[Node]] = {}
    labels: dict[str, str] = {}
    for node in network.nodes:
        found = group(node)
        if found is not None:
            members.setdefault(found[0], []).append(node)
            labels[found[0]] = found[1]
    users: dict[str, set[str]] = {n.id: set() for n in network.nodes}
    owner = {n.id: key for key, inside in members.items() for n in inside}
    for node in network.nodes:
        for operand in node.inputs:
            users[operand].add(owner.get(node.id, node.id))
    for output in network.outputs:
        users[output].add("")
    result = {key: [n.id for n in inside if users[n.id] - {key}] for key, inside in members.items()}
    whole = {key for key, ends in result.items() if ends == [members[key][-1].id]}
    renamed = {n.id: key for key in whole for n in members[key]}
    made: list[Node] = []
    for node in network.nodes:
        key = renamed.get(node.id)
        if key is None:
            made.append(_reading(node, tuple(renamed.get(o, o) for o in node.inputs)))
        elif node is members[key][-1]:
            inside = {n.id for n in members[key]}
            operands = [o for n in members[key] for o in n.inputs if o not in inside]
            inputs = tuple(dict.fromkeys(renamed.get(o, o) for o in operands))
            cost = sum((n.cost for n in members[key]), Cost())
            made.append(Node(key, labels[key], {}, inputs, node.type, cost, node.span))
    return Network(tuple(made), tuple(renamed.get(o, o) for o in network.outputs), network.name)
