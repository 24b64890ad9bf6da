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
from typing import Any, Protocol

from nasdsl.graph.live import ZERO
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Operation, TensorType
from nasdsl.operations.table import OPERATIONS

VERSION = "3"
RANDOM = frozenset({"dropout"})
"""Operations that differ from call to call, so two of them are not one."""

Entry = tuple[int, tuple[int, ...], bool]
"""An operation of a part: its word, its operands, and whether their order counts.

Operand 0 is the tensor that comes in, and operand i + 1 is entry i.
"""


class Operated(Protocol):
    """An operation with its settings and result: a node, or what becomes one."""

    @property
    def op(self) -> str:
        """Its name."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """All its settings."""

    @property
    def type(self) -> TensorType:
        """The type of its result."""


_MASK = (1 << 64) - 1
_WORDS: dict[Any, tuple[Any, int]] = {}
_NAMES: list[bytes] = []
_NUMBERS: dict[bytes, int] = {}
_PARTS: dict[Any, bytes] = {}
_SHAPES: dict[Any, bytes] = {}
_KEPT = 200_000


def fingerprint(network: Network, operations: Mapping[str, Operation] = OPERATIONS) -> str:
    """The digest of the canonical form, 32 hexadecimal digits."""
    return digest(canonical(network, operations))


def digest(form: bytes) -> str:
    """The fingerprint of a canonical form."""
    return hashlib.blake2b(form, digest_size=16).hexdigest()


def canonical(network: Network, operations: Mapping[str, Operation] = OPERATIONS) -> bytes:
    """The canonical form: equal exactly for networks that are equal up to names and order.

    It is the version, then the input and the digests of the parts in order; a network with
    several inputs or outputs, or one that does not read its input, is one part.
    """
    words, operands, ordered, outputs = _numbered(network, operations)
    # Where the input is not read, no tensor carries everything on.
    if len(network.inputs) == len(outputs) == 1 and any(0 in below for below in operands):
        found = _sequence(words, operands, ordered)
        return b"".join([head(network.inputs[0].type), *found])
    # What comes in is nothing here: the inputs are entries without operands.
    shifted = [tuple([o + 1 for o in below]) for below in operands]
    whole = tuple(zip(words, shifted, ordered, strict=True))
    return _HEAD + b" several " + part(whole, tuple([o + 1 for o in outputs]))


def head(type_: TensorType) -> bytes:
    """What the canonical form of a network with one input begins with."""
    return _HEAD + f" {type_} ".encode()


_HEAD = b"nasdsl " + VERSION.encode()


def sequence(nodes: Sequence[Node], operations: Mapping[str, Operation]) -> tuple[bytes, ...]:
    """The digests of the parts of live operations, the input first and the result last."""
    words, operands, ordered, _ = _numbered(Network(tuple(nodes), (nodes[-1].id,)), operations)
    return tuple(_sequence(words, operands, ordered))


def _numbered(
    network: Network, operations: Mapping[str, Operation]
) -> tuple[list[int], list[tuple[int, ...]], list[bool], tuple[int, ...]]:
    """Words, operands and whether their order counts, of every node after merging.

    What follows from zeros without weights is a constant, an operation by itself; each of its
    users has one of its own. What follows from constants by weights stands right before what
    first uses it, so that it belongs to the same part in any order of the nodes.
    """
    number: dict[str, int] = {}
    merged: dict[Any, int] = {}
    words: list[int] = []
    operands: list[tuple[int, ...]] = []
    ordered: list[bool] = []
    waiting: dict[str, Node] = {}
    constants: dict[str, int] = {}
    leaves: dict[int, int] = {}
    inputs = 0

    def put(found: int, below: tuple[int, ...], in_order: bool) -> int:
        words.append(found)
        operands.append(below)
        ordered.append(in_order)
        return len(words) - 1

    def operand(name: str) -> int:
        """The number of an operand, which may have been waiting."""
        if name in number:
            return number[name]
        if name in constants:
            leaves[len(words)] = -1 - constants[name]
            return put(constants[name], (), True)
        todo = [name]
        while todo:
            node = waiting.get(todo[-1])
            behind = [] if node is None else [i for i in node.inputs if i in waiting]
            if node is None:
                todo.pop()
            elif behind:
                todo += behind
            else:
                del waiting[todo.pop()]
                take(node)
        return number[name]

    def take(node: Node) -> None:
        start = len(words)
        below = tuple([number[i] if i in number else operand(i) for i in node.inputs])
        found = word(node)
        fact = operations.get(node.op)
        commutative = len(below) > 1 and fact is not None and fact.commutative
        if commutative:
            below = tuple(sorted(below))
        if node.cost.params == 0 and node.op not in RANDOM:
            read = tuple([leaves.get(i, i) for i in below]) if leaves else below
            same = merged.setdefault((found, read), len(words))
            if same < len(words):
                number[node.id] = same
                # Only constants of its own can have been put before it.
                for at in range(start, len(words)):
                    del leaves[at]
                del words[start:], operands[start:], ordered[start:]
                return
        number[node.id] = put(found, below, not commutative)

    for node in network.nodes:
        if node.op == INPUT:
            number[node.id] = put(intern(f"input {inputs} {node.type}".encode()), (), True)
            inputs += 1
        elif node.op == ZERO:
            constants[node.id] = word(node)
        elif (waiting or constants) and not any(i in number for i in node.inputs):
            if node.cost.params or node.op in RANDOM or any(i in waiting for i in node.inputs):
                waiting[node.id] = node
            else:
                fact = operations.get(node.op)
                given = [_NAMES[constants[i]] for i in node.inputs]
                if fact is not None and fact.commutative:
                    given.sort()
                constants[node.id] = _constant(node, given)
        else:
            take(node)
    outputs = [operand(o) for o in network.outputs]
    return words, operands, ordered, tuple(outputs)


def _constant(node: Node, operands: list[bytes]) -> int:
    """The word of what an operation without weights makes of constants with these names."""
    form = _joined(_NAMES[word(node)], operands)
    return intern(f"constant {node.type} {form.hex()}".encode())


def _sequence(
    words: Sequence[int], operands: Sequence[tuple[int, ...]], ordered: Sequence[bool]
) -> list[bytes]:
    """The digests of the parts after the input, which is the first node."""
    found = []
    start = 0
    for cut in cuts(operands):
        inside = range(start + 1, cut + 1)
        if inside:
            entries = [
                (words[n], tuple([o - start for o in operands[n]]), ordered[n]) for n in inside
            ]
            found.append(part(tuple(entries)))
        start = cut
    return found


def cuts(operands: Sequence[tuple[int, ...]]) -> list[int]:
    """The nodes through which everything passes, the first and the last one included."""
    farthest = [0] * len(operands)
    for node, below in enumerate(operands):
        for operand in below:
            farthest[operand] = node
    reach = 0
    found = []
    for node, user in enumerate(farthest):
        if reach <= node:
            found.append(node)
        reach = max(reach, user)
    return found


def part(entries: tuple[Entry, ...], outputs: tuple[int, ...] | None = None) -> bytes:
    """The digest of a part, 16 bytes; its output is the last entry where none is given.

    Words are numbered by the order of their names, so parts that differ in them alone have
    their shape worked out once.
    """
    key = (entries, outputs)
    found = _PARTS.get(key)
    if found is None:
        used = sorted({_NAMES[e[0]] for e in entries})
        rank = {_NUMBERS[name]: i for i, name in enumerate(used)}
        ranked = tuple([(rank[w], operands, ordered) for w, operands, ordered in entries])
        form = shape(ranked, (len(entries),) if outputs is None else outputs)
        found = sealed(form, used)
        if len(_PARTS) > _KEPT:
            _PARTS.clear()
        _PARTS[key] = found
    return found


def sealed(form: bytes, names: Sequence[bytes]) -> bytes:
    """The digest of a part of a shape whose words are these, in the order of their names."""
    return hashlib.blake2b(form + b"\n".join(names), digest_size=16).digest()


def shape(entries: tuple[Entry, ...], outputs: tuple[int, ...]) -> bytes:
    """The canonical form of a part whose words are numbers that mean something to the caller.

    Where several operands meet, or several users part, there is a joint; between joints run
    chains. A joint's digest is made of the chains that lead to it and of the digests of the
    joints where they begin. If no two joints have one digest, the digest of the outputs tells
    the whole part. Else nodes are told apart by what they compute from and by what uses them,
    refined until nothing more is told apart; those that are still alike are exchangeable in
    practice, and one of them is put first, until all are ordered. That form lists all
    operations in order, so equal forms mean isomorphic parts whatever the refinement missed.
    """
    key = (entries, outputs)
    found = _SHAPES.get(key)
    if found is None:
        found = shaped(entries, outputs)
        if len(_SHAPES) > _KEPT:
            _SHAPES.clear()
        _SHAPES[key] = found
    return found


def shaped(entries: tuple[Entry, ...], outputs: tuple[int, ...]) -> bytes:
    """As :func:`shape`, worked out anew."""
    return _jointed(entries, outputs) or b"L" + _listed(entries, outputs)


_LEAF = b"\xff" * 16


def _jointed(entries: tuple[Entry, ...], outputs: tuple[int, ...]) -> bytes | None:
    """The form by joints, or none where two joints look alike from below."""
    uses = [0] * (len(entries) + 1)
    for _, operands, _ in entries:
        for o in operands:
            uses[o] += 1
    for o in outputs:
        uses[o] += 1
    # A reference: the digest of a joint, then the words of the chain that starts there.
    references = [bytes(16)]
    joints: set[bytes] = {references[0]}
    count = 1
    for i, (number, operands, ordered) in enumerate(entries, 1):
        name = number.to_bytes(4, "big")
        if not operands:
            # It is known by its word: a constant, or an input of the network.
            references.append(_LEAF + name)
            continue
        if len(operands) == 1 and uses[i] == 1:
            references.append(references[operands[0]] + name)
            continue
        below = [references[o] for o in operands]
        if not ordered:
            below.sort()
        joint = _joined(name, below)
        references.append(joint)
        joints.add(joint)
        count += 1
    if len(joints) < count:
        return None
    return b"J" + _joined(b"", [references[o] for o in outputs])


def _joined(name: bytes, below: list[bytes]) -> bytes:
    lengths = b"".join([len(b).to_bytes(4, "big") for b in below])
    return hashlib.blake2b(
        b"%d %d " % (len(name), len(below)) + name + lengths + b"".join(below), digest_size=16
    ).digest()


def _listed(entries: tuple[Entry, ...], outputs: tuple[int, ...]) -> bytes:
    graph = _Graph(
        [-1, *(e[0] for e in entries)],
        [(), *(e[1] for e in entries)],
        [True, *(e[2] for e in entries)],
        outputs,
    )
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
        for number in self.words:
            colors.append(_mixed(number + 1, 0))
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
            lines.append(b"%d <- " % self.words[node] + str(operands).encode())
        lines.append(b"outputs " + str([place[o] for o in self.outputs]).encode())
        return b"\n".join(lines)


def intern(name: bytes) -> int:
    """The number of a name, in this process."""
    found = _NUMBERS.get(name)
    if found is None:
        found = len(_NAMES)
        _NUMBERS[name] = found
        _NAMES.append(name)
    return found


def word(node: Operated) -> int:
    """The number of an operation with its settings and result type, in this process."""
    key = (node.op, id(node.settings), node.type.shape)
    known = _WORDS.get(key)
    if known is not None and known[0] is node.settings:
        return known[1]
    settings = json.dumps(dict(node.settings), sort_keys=True, default=list).encode()
    number = intern(f"{node.op} {node.type} ".encode() + settings)
    if len(_WORDS) > _KEPT:
        _WORDS.clear()
    _WORDS[key] = (node.settings, number)
    return number


def name(number: int) -> bytes:
    """The name that :func:`intern` gave a number."""
    return _NAMES[number]
