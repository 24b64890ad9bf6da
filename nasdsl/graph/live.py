"""The live network: what is left of the written operations when dead parts are gone.

Zeros pass through operations that map zero to zero and drop out of sums; identities are
contracted; what no output depends on is dropped. The result computes the same function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Cost, Operation
from nasdsl.operations.table import OPERATIONS

ZERO = "zero"
IDENTITY = "identity"
SPECIAL = frozenset({INPUT, IDENTITY, ZERO, "first"})
COMBINING = frozenset({"add", "mul", "concat", "mean"})
_FREE = Cost()


def live(
    written: Sequence[Node],
    outputs: tuple[str, ...],
    name: str,
    operations: Mapping[str, Operation] = OPERATIONS,
) -> Network:
    """The live network of operations as written, in topological order, inputs first."""
    alias: dict[str, str] = {}
    zero: set[str] = set()
    kept: dict[str, Node] = {}
    source = next((n.id for n in written if n.op == INPUT), None)
    for node in written:
        op = node.op
        given = node.inputs
        operands = [alias.get(i, i) for i in given]
        if op not in SPECIAL and not zero and (len(given) > 1 or op not in COMBINING):
            # The usual case, without the ifs below.
            renamed = tuple(operands)
            kept[node.id] = node if renamed == given else node._replace(inputs=renamed)
            continue
        if op == INPUT:
            kept[node.id] = node
            continue
        if op == IDENTITY:
            alias[node.id] = operands[0]
            if operands[0] in zero:
                zero.add(node.id)
                alias[node.id] = node.id
                kept[node.id] = _zeros(node, source)
            continue
        if op == "first":
            operands = operands[:1]
            if operands[0] not in zero:
                alias[node.id] = operands[0]
                continue
        if zero:
            if op == "add":
                operands = [o for o in operands if o not in zero]
            gone = (
                op == ZERO
                or (op == "mul" and any(o in zero for o in operands))
                or (
                    all(o in zero for o in operands)
                    and (op == "first" or operations[op].zero(node.settings))
                )
            )
        else:
            gone = op == ZERO
        if gone:
            zero.add(node.id)
            kept[node.id] = _zeros(node, source)
            continue
        if len(operands) == 1 and op in COMBINING:
            alias[node.id] = operands[0]
            continue
        kept[node.id] = node._replace(inputs=tuple(operands))
    ends = tuple(alias.get(o, o) for o in outputs)
    return Network(_reached(kept, ends), ends, name)


def _zeros(node: Node, source: str | None) -> Node:
    """A constant of zeros; it takes an input of the network for the size of the batch."""
    return Node(node.id, ZERO, {}, (source,) if source else (), node.type, _FREE, node.span)


def _reached(kept: dict[str, Node], ends: tuple[str, ...]) -> tuple[Node, ...]:
    needed: set[str] = set()
    todo = list(ends)
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo.extend(kept[name].inputs)
    return tuple(n for n in kept.values() if n.id in needed or n.op == INPUT)
