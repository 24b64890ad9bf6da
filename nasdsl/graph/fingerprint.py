"""The canonical form of a network and its digest.

Two networks with one fingerprint are isomorphic as graphs of operations with settings, after
operations without weights that have the same operands are merged and the order of operands of
commutative operations is forgotten: they compute the same function under matching weights.

A network is cut where a single tensor carries everything on; the parts between cuts are made
canonical one by one, and a part that was seen before is recognized.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Operation
from nasdsl.operations.table import OPERATIONS

VERSION = "2"
RANDOM = frozenset({"dropout"})
"""Operations that differ from call to call, so two of them are not one."""

_MASK = (1 << 64) - 1
_WORDS: dict[Any, tuple[Any, int]] = {}
_NAMES: list[bytes] = []
_NUMBERS: dict[bytes, int] = {}
_PARTS: dict[Any, bytes] = {}
_KEPT = 200_000


def fingerprint(network: Network, operations: Mapping[str, Operation] = OPERATIONS) -> str:
    """The digest of the canonical form, 32 hexadecimal digits."""
    return hashlib.blake2b(canonical(network, operations), digest_size=16).hexdigest()


def canonical(network: Network, operations: Mapping[str, Operation] = OPERATIONS) -> bytes:
    """The canonical form: equal exactly for networks that are equal up to names and order.

    Nodes of a part are told apart by what they compute from and by what uses them, refined
    until nothing more is told apart; nodes that are still alike are exchangeable in practice,
    and one of them is put first, until all are ordered. The form lists all operations in that
    order, so equal forms mean isomorphic networks whatever the refinement missed.
    """
    words, operands, ordered, outputs = _numbered(network, operations)
    lines = [b"nasdsl " + VERSION.encode()]
    cuts = _cuts(operands) if len(network.inputs) == 1 and len(outputs) == 1 else [len(words) - 1]
    start = -1
    for cut in cuts:
        if len(cuts) == 1:
            lines.append(_form(words, operands, ordered, outputs))
            break
        inside = range(start + 1, cut + 1)
        key = tuple(
            [(words[n], tuple([o - start for o in operands[n]]), ordered[n]) for n in inside]
        )
        lines.append(_part(key))
        start = cut
    return b"\n".join(lines)


def _numbered(
    network: Network, operations: Mapping[str, Operation]
) -> tuple[list[int], list[tuple[int, ...]], list[bool], tuple[int, ...]]:
    """Words, operands and whether their order counts, of every node after merging."""
    number: dict[str, int] = {}
    merged: dict[Any, int] = {}
    words: list[int] = []
    operands: list[tuple[int, ...]] = []
    ordered: list[bool] = []
    inputs = 0
    for node in network.nodes:
        below = tuple([number[i] for i in node.inputs])
        if node.op == INPUT:
            word = _intern(f"input {inputs} {node.type}".encode())
            inputs += 1
            commutative = False
        else:
            word = _word(node)
            fact = operations.get(node.op)
            commutative = len(below) > 1 and fact is not None and fact.commutative
            if commutative:
                below = tuple(sorted(below))
            if node.cost.params == 0 and node.op not in RANDOM:
                same = merged.setdefault((word, below), len(words))
                if same < len(words):
                    number[node.id] = same
                    continue
        number[node.id] = len(words)
        words.append(word)
        operands.append(below)
        ordered.append(not commutative)
    return words, operands, ordered, tuple([number[o] for o in network.outputs])


def _cuts(operands: Sequence[tuple[int, ...]]) -> list[int]:
    """The nodes through which everything passes, the last one included."""
    farthest = [0] * len(operands)
    for node, below in enumerate(operands):
        for operand in below:
            farthest[operand] = node
    reach = 0
    cuts = []
    for node, user in enumerate(farthest):
        if reach <= node:
            cuts.append(node)
        reach = max(reach, user)
    return cuts


def _part(key: tuple[tuple[int, tuple[int, ...], bool], ...]) -> bytes:
    """The digest of a part; operand 0 is the tensor that comes in, node i is operand i + 1."""
    found = _PARTS.get(key)
    if found is None:
        source = _intern(b"comes in")
        words = [source, *(k[0] for k in key)]
        operands = [(), *(k[1] for k in key)]
        ordered = [True, *(k[2] for k in key)]
        form = _form(words, operands, ordered, (len(key),))
        found = hashlib.blake2b(form, digest_size=16).hexdigest().encode()
        if len(_PARTS) > _KEPT:
            _PARTS.clear()
        _PARTS[key] = found
    return found


def _form(
    words: Sequence[int],
    operands: Sequence[tuple[int, ...]],
    ordered: Sequence[bool],
    outputs: tuple[int, ...],
) -> bytes:
    graph = _Graph(words, operands, ordered, outputs)
    colors = graph.refine(graph.initial())
    while True:
        ties: dict[int, list[int]] = {}
        for node, color in enumerate(colors):
            ties.setdefault(color, []).append(node)
        tied = [c for c, nodes in ties.items() if len(nodes) > 1]
        if not tied:
            return graph.listing(colors)
        # The tied nodes nearest the inputs first: the rest often follows from them.
        chosen = min(tied, key=lambda c: (graph.depth[ties[c][0]], c))
        first = ties[chosen][0]
        colors[first] = _mixed(colors[first], 1)
        colors = graph.refine(colors)


def _mixed(a: int, b: int) -> int:
    """Two 64-bit numbers hashed into one (a multiply-xor-shift step)."""
    x = ((a ^ 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9 + b) & _MASK
    return ((x ^ (x >> 29)) * 0x94D049BB133111EB) & _MASK


class _Graph:
    """A part by numbers."""

    def __init__(
        self,
        words: Sequence[int],
        operands: Sequence[tuple[int, ...]],
        ordered: Sequence[bool],
        outputs: tuple[int, ...],
    ):
        self.words = words
        self.operands = operands
        self.ordered = ordered
        self.outputs = outputs
        self.users: list[list[tuple[int, int]]] = [[] for _ in words]
        self.depth: list[int] = []
        for user, below in enumerate(operands):
            self.depth.append(1 + max((self.depth[o] for o in below), default=0))
            for port, operand in enumerate(below):
                mark = port + 1 if ordered[user] else 0
                self.users[operand].append((user, mark))

    def initial(self) -> list[int]:
        """Colors by operation and settings, and by place among the outputs."""
        colors = []
        for word in self.words:
            digest = hashlib.blake2b(_NAMES[word], digest_size=8).digest()
            colors.append(int.from_bytes(digest, "big"))
        for place, output in enumerate(self.outputs):
            colors[output] = _mixed(colors[output], place + 2)
        return colors

    def refine(self, colors: list[int]) -> list[int]:
        """Colors told further apart by operands and users, until nothing changes."""
        classes = 0
        while True:
            up: list[int] = []
            for node, operands in enumerate(self.operands):
                color = colors[node]
                below = [up[o] for o in operands]
                if not self.ordered[node]:
                    below.sort()
                for b in below:
                    color = _mixed(color, b)
                up.append(color)
            down: list[int] = [0] * len(up)
            for node in range(len(up) - 1, -1, -1):
                color = up[node]
                for above in sorted([_mixed(down[user], mark) for user, mark in self.users[node]]):
                    color = _mixed(color, above)
                down[node] = color
            found = len(set(down))
            if found == len(down) or found == classes:
                return down
            classes = found
            colors = down

    def listing(self, colors: list[int]) -> bytes:
        """The operations in the order of their colors, operands by number."""
        order = sorted(range(len(colors)), key=colors.__getitem__)
        place = {node: i for i, node in enumerate(order)}
        lines = []
        for node in order:
            operands = [place[o] for o in self.operands[node]]
            if not self.ordered[node]:
                operands.sort()
            lines.append(_NAMES[self.words[node]] + b" <- " + str(operands).encode())
        lines.append(b"outputs " + str([place[o] for o in self.outputs]).encode())
        return b"\n".join(lines)


def _intern(name: bytes) -> int:
    found = _NUMBERS.get(name)
    if found is None:
        found = len(_NAMES)
        _NUMBERS[name] = found
        _NAMES.append(name)
    return found


def _word(node: Node) -> int:
    """The operation with its settings and result type, by number."""
    key = (node.op, id(node.settings), node.type.shape)
    known = _WORDS.get(key)
    if known is not None and known[0] is node.settings:
        return known[1]
    settings = json.dumps(dict(node.settings), sort_keys=True, default=list).encode()
    word = _intern(f"{node.op} {node.type} ".encode() + settings)
    if len(_WORDS) > _KEPT:
        _WORDS.clear()
    _WORDS[key] = (node.settings, word)
    return word
