"""The live network: what is left of the written operations when dead parts are gone.

Zeros pass through operations that map zero to zero and drop out of sums; identities are
contracted; what no output depends on is dropped. The result computes the same function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Cost, Operation
from nasdsl.operations.table import OPERATIONS

ZERO = "zero"
IDENTITY = "identity"
SPECIAL = frozenset({INPUT, IDENTITY, ZERO, "first"})
COMBINING = frozenset({"add", "mul", "concat", "mean"})
FREE = Cost()
NO_SETTINGS: Mapping[str, Any] = {}


def live(
    written: Iterable[Node],
    outputs: tuple[str, ...],
    name: str,
    operations: Mapping[str, Operation] = OPERATIONS,
) -> Network:
    """The live network of operations as written, in topological order, inputs first."""
    sieve = Sieve(operations)
    for node in written:
        sieve.take(node)
    return sieve.network(outputs, name)


class Sieve:
    """Takes operations as written, one after the other, and keeps those that may be live.

    Attributes:
        kept: the operations that are left so far, by id.
        zero: ids of those that are constants of zeros.
        source: the input that these take for the size of the batch.
    """

    def __init__(self, operations: Mapping[str, Operation] = OPERATIONS):
        self.kept: dict[str, Node] = {}
        self.zero: set[str] = set()
        self._alias: dict[str, str] = {}
        self._operations = operations
        self.source: str | None = None

    def take(self, node: Node) -> None:
        """Take the next operation; what it reads has been taken before."""
        alias, zero = self._alias, self.zero
        op = node.op
        given = node.inputs
        operands = [alias.get(i, i) for i in given]
        if op not in SPECIAL and not zero and (len(given) > 1 or op not in COMBINING):
            # The usual case, without the ifs below.
            renamed = tuple(operands)
            self.kept[node.id] = node if renamed == given else node._replace(inputs=renamed)
            return
        if op == INPUT:
            if self.source is None:
                self.source = node.id
            self.kept[node.id] = node
            return
        if op == IDENTITY:
            if operands[0] in zero:
                self._constant(node)
            else:
                alias[node.id] = operands[0]
            return
        if op == "first":
            operands = operands[:1]
            if operands[0] not in zero:
                alias[node.id] = operands[0]
                return
        if zero:
            if op == "add":
                operands = [o for o in operands if o not in zero]
            gone = (
                op == ZERO
                or (op == "mul" and any(o in zero for o in operands))
                or (
                    all(o in zero for o in operands)
                    and (op == "first" or self._operations[op].zero(node.settings))
                )
            )
        else:
            gone = op == ZERO
        if gone:
            self._constant(node)
        elif len(operands) == 1 and op in COMBINING:
            alias[node.id] = operands[0]
        else:
            self.kept[node.id] = node._replace(inputs=tuple(operands))

    def _constant(self, node: Node) -> None:
        """A constant of zeros; it takes an input of the network for the size of the batch."""
        source = (self.source,) if self.source else ()
        self.zero.add(node.id)
        self.kept[node.id] = Node(node.id, ZERO, NO_SETTINGS, source, node.type, FREE, node.span)

    def at(self, name: str) -> str:
        """The id under which the result of an operation stands."""
        return self._alias.get(name, name)

    def network(self, outputs: Sequence[str], name: str) -> Network:
        """What the outputs depend on, with all inputs."""
        ends = tuple([self.at(o) for o in outputs])
        kept = self.kept
        unread = kept.keys() - {i for node in kept.values() for i in node.inputs}
        if not unread <= set(ends):
            needed: set[str] = set()
            todo = list(ends)
            while todo:
                at = todo.pop()
                if at not in needed:
                    needed.add(at)
                    todo.extend(kept[at].inputs)
            nodes = [n for n in kept.values() if n.id in needed or n.op == INPUT]
            return Network(tuple(nodes), ends, name)
        return Network(tuple(kept.values()), ends, name)
