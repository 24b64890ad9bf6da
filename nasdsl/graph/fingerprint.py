"""The canonical form of a network and its digest.

Two networks with one fingerprint are isomorphic as graphs of operations with settings, after
operations without weights that have the same operands are merged and the order of operands of
commutative operations is forgotten: they compute the same function under matching weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Operation
from nasdsl.operations.table import OPERATIONS

VERSION = "1"
RANDOM = frozenset({"dropout"})
"""Operations that differ from call to call, so two of them are not one."""


def fingerprint(network: Network, operations: Mapping[str, Operation] = OPERATIONS) -> str:
    """The digest of the canonical form, 32 hexadecimal digits."""
    return hashlib.blake2b(canonical(network, operations), digest_size=16).hexdigest()


def canonical(network: Network, operations: Mapping[str, Operation] = OPERATIONS) -> bytes:
    """The canonical form: equal exactly for networks that are equal up to names and order.

    Nodes are told apart by what they compute from and by what uses them, both refined until
    nothing more is told apart; nodes that are still alike are exchangeable in practice, and
    one of them is put first, until all are ordered. The full list of operations in that order
    is the form, so equal forms mean isomorphic networks whatever the refinement missed.
    """
    graph = _Graph(network, operations)
    colors = graph.refine(graph.initial())
    while True:
        ties: dict[bytes, list[int]] = {}
        for node, color in enumerate(colors):
            ties.setdefault(color, []).append(node)
        open_ties = [c for c, nodes in ties.items() if len(nodes) > 1]
        if not open_ties:
            break
        # The tied nodes nearest the inputs first: the rest often follows from them.
        chosen = min(open_ties, key=lambda c: (graph.depth[ties[c][0]], c))
        first = ties[chosen][0]
        colors[first] = _digest(b"first", colors[first])
        colors = graph.refine(colors)
    return graph.listing(colors)


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"\x00".join(parts), digest_size=12).digest()


class _Graph:
    """A network by numbers, operations without weights merged where their operands agree."""

    def __init__(self, network: Network, operations: Mapping[str, Operation]):
        number: dict[str, int] = {}
        merged: dict[Any, int] = {}
        self.words: list[bytes] = []
        self.operands: list[tuple[int, ...]] = []
        self.ordered: list[bool] = []
        inputs = 0
        for node in network.nodes:
            operands = tuple([number[i] for i in node.inputs])
            fact = operations.get(node.op)
            commutative = fact is not None and fact.commutative
            if commutative:
                operands = tuple(sorted(operands))
            if node.op == INPUT:
                word = f"input {inputs} {node.type}".encode()
                inputs += 1
            else:
                word = _word(node)
            if node.cost.params == 0 and node.op not in RANDOM and node.op != INPUT:
                same = merged.setdefault((word, operands), len(self.words))
                if same < len(self.words):
                    number[node.id] = same
                    continue
            number[node.id] = len(self.words)
            self.words.append(word)
            self.operands.append(operands)
            self.ordered.append(not commutative)
        self.outputs = tuple(number[o] for o in network.outputs)
        self.users: list[list[tuple[int, bytes]]] = [[] for _ in self.words]
        self.depth: list[int] = []
        for user, operands in enumerate(self.operands):
            self.depth.append(1 + max((self.depth[o] for o in operands), default=0))
            for port, operand in enumerate(operands):
                mark = str(port).encode() if self.ordered[user] else b"*"
                self.users[operand].append((user, mark))

    def initial(self) -> list[bytes]:
        """Colors by operation and settings, and by place among the outputs."""
        colors = list(self.words)
        for place, output in enumerate(self.outputs):
            colors[output] += f" output {place}".encode()
        return colors

    def refine(self, colors: list[bytes]) -> list[bytes]:
        """Colors told further apart by operands and users, until nothing changes."""
        classes = 0
        while True:
            up: list[bytes] = []
            for node, operands in enumerate(self.operands):
                below = [up[o] for o in operands]
                up.append(_digest(colors[node], *(below if self.ordered[node] else sorted(below))))
            down: list[bytes] = [b""] * len(up)
            for node in range(len(up) - 1, -1, -1):
                above = sorted([mark + down[user] for user, mark in self.users[node]])
                down[node] = _digest(up[node], *above)
            found = len(set(down))
            if found == len(down) or found == classes:
                return down
            classes = found
            colors = down

    def listing(self, colors: list[bytes]) -> bytes:
        """The operations in the order of their colors, operands by number."""
        order = sorted(range(len(colors)), key=colors.__getitem__)
        place = {node: i for i, node in enumerate(order)}
        lines = [f"nasdsl {VERSION}".encode()]
        for node in order:
            operands = [place[o] for o in self.operands[node]]
            if not self.ordered[node]:
                operands.sort()
            lines.append(self.words[node] + b" <- " + str(operands).encode())
        lines.append(b"outputs " + str([place[o] for o in self.outputs]).encode())
        return b"\n".join(lines)


_WORDS: dict[int, tuple[Any, bytes]] = {}


def _word(node: Node) -> bytes:
    """The operation with its settings and result type, as bytes."""
    known = _WORDS.get(id(node.settings))
    if known is not None and known[0] is node.settings:
        settings = known[1]
    else:
        settings = json.dumps(dict(node.settings), sort_keys=True, default=list).encode()
        if len(_WORDS) > 50_000:
            _WORDS.clear()
        _WORDS[id(node.settings)] = (node.settings, settings)
    return f"{node.op} {node.type} ".encode() + settings
