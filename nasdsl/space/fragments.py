"""What the designs of a space's cells come to, remembered.

A design is worked out once for all uses of a cell that differ in sizes alone, as parts: live
operations that know each other by name. A part put at a place of the network, between given
inputs, is a node, which all networks that have it there share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nasdsl.graph.live import FREE, NO_SETTINGS, ZERO, Sieve
from nasdsl.graph.network import INPUT, Node
from nasdsl.operations.operation import Operation, TensorType
from nasdsl.space.alike import pattern
from nasdsl.space.residual import Branch, Emit, Key, Step, UseCell, steps
from nasdsl.space.walk import run

KEPT = 20_000
"""So many designs are remembered."""
KEPT_NODES = 100_000

Operand = str | int
"""A name in the cell, or -1 - i for its input i; the network's input counts as one more."""
Design = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """An operation of a cell, or zeros in its place.

    ``emit`` is its number in the body. Parts that are alike are one object.
    """

    name: str
    emit: int
    zero: bool
    operands: tuple[Operand, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Fragment:
    """What one design of a cell comes to.

    Attributes:
        outcome: its number among those of the body.
        written: the operations as written.
        result: which of them, or which input, is the result.
        live: what is left of them where no input is zero, and the result; none where that is
            zero. Zeros read the network's input.
        reads_all: that reads every input.
    """

    outcome: int
    written: tuple[Part, ...]
    result: Operand
    live: tuple[tuple[Part, ...], Operand] | None
    reads_all: bool


class Shape:
    """What the bodies of a cell that differ in sizes alone have in common: how designs come out.

    Attributes:
        inputs: how many the cell has.
    """

    def __init__(self, use: UseCell, emits: tuple[Emit, ...], inputs: int):
        self.inputs = inputs
        self._use = use
        self._emits = emits
        self._outcomes = tuple(use.body.outcomes)
        self._numbers = {emit: i for i, emit in enumerate(emits)}
        inner = {step.cell for step in steps(use.body) if isinstance(step, UseCell)}
        self._prefixes = tuple([f"{cell}." for cell in sorted({use.cell, *inner})])

    def design(self, decisions: Mapping[str, Any]) -> Design:
        """The decisions of the cell and of the cells used inside it."""
        prefixes = self._prefixes
        return tuple([item for item in decisions.items() if item[0].startswith(prefixes)])

    def fragment(
        self,
        decisions: Mapping[str, Any],
        parts: dict[Any, Part],
        operations: Mapping[str, Operation],
    ) -> Fragment | None:
        """What a design comes to, as parts that are known or new; none where names collide."""
        writer = _Writer(decisions)
        inner: Any = tuple(range(-1, -1 - self.inputs, -1))
        outcome, result = run(self._use.body, inner, writer, "", self._use.cell, "")
        names = [name for _, name, _ in writer.written]
        if len(set(names)) < len(names):
            return None

        def part(name: str, emit: int, zero: bool, operands: tuple[Operand, ...]) -> Part:
            key = (self, name, emit, zero, operands)
            found = parts.get(key)
            if found is None:
                found = parts[key] = Part(name, emit, zero, operands)
            return found

        written = [(self._numbers[step], name, of) for step, name, of in writer.written]
        live = None if "" in names else self._live(written, result, operations)
        read = set() if live is None else {live[1], *[o for p in live[0] for o in p[3]]}
        return Fragment(
            self._outcomes.index(outcome),
            tuple([part(name, emit, False, of) for emit, name, of in written]),
            result,
            None if live is None else (tuple([part(*each) for each in live[0]]), live[1]),
            read.issuperset(inner),
        )

    def _live(
        self,
        written: list[tuple[int, str, tuple[Operand, ...]]],
        result: Operand,
        operations: Mapping[str, Operation],
    ) -> tuple[list[tuple[str, int, bool, tuple[Operand, ...]]], Operand] | None:
        """What is left of operations as written, and the result."""
        sieve = Sieve(operations)
        # A number is not the name of anything.
        operand: dict[str, Operand] = {}
        for i in range(-1, -1 - self.inputs, -1):
            operand[str(i)] = i
            sieve.take(Node(str(i), INPUT, NO_SETTINGS, (), _ANY))
        numbers = {}
        for number, name, of in written:
            emit = self._emits[number]
            numbers[name] = number
            sieve.take(Node(name, emit.op, emit.settings, tuple(map(str, of)), _ANY))
        network = sieve.network((str(result),), "cell")
        end = network.outputs[0]
        if end in sieve.zero:
            return None
        left: list[tuple[str, int, bool, tuple[Operand, ...]]] = []
        for node in network.nodes:
            if node.op == ZERO:
                left.append((node.id, numbers[node.id], True, (-1 - self.inputs,)))
            elif node.op != INPUT:
                of = tuple([operand.get(o, o) for o in node.inputs])
                left.append((node.id, numbers[node.id], False, of))
        return left, operand.get(end, end)


_ANY = TensorType(())


@dataclass(frozen=True, eq=False, slots=True)
class Body:
    """The body of a cell for inputs of given types."""

    emits: tuple[Emit, ...]
    outcomes: tuple[Key, ...]
    shape: Shape


class Spot(dict[Part, Node]):
    """The nodes of a cell's parts at a place of its own, made when they are first asked for."""

    __slots__ = ("_body", "_given", "_owner", "_prefix")

    def __init__(self, owner: Fragments, body: Body, place: str, given: tuple[str, ...]):
        super().__init__()
        self._owner = owner
        self._body = body
        self._prefix = f"{place}."
        self._given = given

    def __missing__(self, part: Part) -> Node:
        emit = self._body.emits[part.emit]
        name = self._prefix + part.name
        operands = tuple([self.id(operand) for operand in part.operands])
        if part.zero:
            node = Node(name, ZERO, NO_SETTINGS, operands, emit.type, FREE, emit.span)
        else:
            node = Node(name, emit.op, emit.settings, operands, emit.type, emit.cost, emit.span)
        self[part] = node
        self._owner.nodes += 1
        return node

    def id(self, operand: Operand) -> str:
        """The id of what a part reads, or of a cell's result."""
        return self._prefix + operand if isinstance(operand, str) else self._given[-1 - operand]


class Fragments:
    """What the designs of a space's cells come to.

    Attributes:
        nodes: how many have been made and are still kept.
    """

    def __init__(self, operations: Mapping[str, Operation]):
        self.nodes = 0
        self._operations = operations
        self._bodies: dict[Step, Body] = {}
        self._shapes: dict[Any, Shape] = {}
        self._known: dict[tuple[Shape, Design], Fragment | None] = {}
        self._parts: dict[Any, Part] = {}
        self._spots: dict[tuple[Body, str, tuple[str, ...]], Spot] = {}

    def body(self, use: UseCell, inputs: int) -> Body:
        """The body of a use with so many inputs."""
        found = self._bodies.get(use.body)
        if found is None:
            emits = tuple([step for step in steps(use.body) if isinstance(step, Emit)])
            key = inputs, pattern(use, self._operations)
            shape = self._shapes.get(key)
            if shape is None:
                shape = self._shapes[key] = Shape(use, emits, inputs)
            found = self._bodies[use.body] = Body(emits, tuple(use.body.outcomes), shape)
        return found

    def of(self, shape: Shape, decisions: Mapping[str, Any]) -> Fragment | None:
        """What the design of a cell comes to; none where names in it collide."""
        key = (shape, shape.design(decisions))
        try:
            return self._known[key]
        except KeyError:
            pass
        if len(self._known) >= KEPT:
            self._known.clear()
            self._parts.clear()
            self._forget_nodes()
        found = self._known[key] = shape.fragment(decisions, self._parts, self._operations)
        return found

    def spot(self, body: Body, place: str, given: tuple[str, ...]) -> Spot:
        """The nodes at a place; ``given`` are the cell's inputs and the network's."""
        key = (body, place, given)
        if self.nodes >= KEPT_NODES:
            self._forget_nodes()
        found = self._spots.get(key)
        if found is None:
            found = self._spots[key] = Spot(self, body, place, given)
        return found

    def _forget_nodes(self) -> None:
        self._spots.clear()
        self.nodes = 0


class _Writer:
    """Writes down a design: an operation's handle is its name."""

    def __init__(self, decisions: Mapping[str, Any]):
        self.paths: dict[int, str] = {}
        self.written: list[tuple[Emit, str, tuple[Operand, ...]]] = []
        self._decisions = decisions

    def emit(self, step: Emit, operands: Any, name: str) -> str:
        """Write an operation down."""
        self.written.append((step, name, operands))
        return name

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision."""
        return self._decisions[name]

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        """Nobody asks how the cells inside come out."""

    def recall(self, step: UseCell, frame: Any, place: str) -> None:
        """Cells inside are walked."""
