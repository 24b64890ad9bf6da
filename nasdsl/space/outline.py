"""What the networks of a space have in common where nothing is decided outside cells.

Everything else is then emitted once: a network is the outline with the live operations of its
cells put in.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from nasdsl.graph.live import ZERO, Sieve
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Cost, Operation, TensorType
from nasdsl.space.building import numbered
from nasdsl.space.fragments import Body, Fragments, Shape
from nasdsl.space.registers import NotSo
from nasdsl.space.residual import Branch, Emit, Key, Step, UseCell
from nasdsl.space.walk import run

CELL = "a cell"
KEPT = 1_000
"""So many results of cells are remembered with what reads them."""


class Outline:
    """The live operations outside cells, each use of a cell as one operation.

    Raises :class:`NotSo` where something is decided outside cells, or where cells may come out
    in several ways.

    Args:
        step: the whole space.
        inputs: names and types of the network's inputs.
        operations: facts of the operations.
        name: of the space.
        zero: whether a cell comes to zero at a use with so many inputs; none does where this is
            not given.

    Attributes:
        network: operations called ``a cell`` among the others.
        uses: the use of each of them, by id, and its place in the text.
        places: whether each use has a place of its own.
    """

    def __init__(
        self,
        step: Step,
        inputs: Iterable[tuple[str, TensorType]],
        operations: Mapping[str, Operation],
        name: str,
        zero: Callable[[UseCell, int], bool] | None = None,
    ):
        self.paths: dict[int, str] = {}
        self.uses: dict[str, tuple[UseCell, str]] = {}
        self._sieve = Sieve(operations)
        self._zero = zero
        self._names: set[str] = set()
        self.places = True
        given = list(inputs)
        for handle, type_ in given:
            self._names.add(handle)
            self._sieve.take(Node(handle, INPUT, {}, (), type_))
        _, result = run(step, tuple([handle for handle, _ in given]), self)
        self.network = self._sieve.network((result,), name)

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        """Take an operation; a name that is taken is numbered, as a builder does."""
        name = numbered(name, self._names)
        self._sieve.take(
            Node(name, step.op, step.settings, operands, step.type, step.cost, step.span)
        )
        return name

    def decide(self, name: str, branch: Branch) -> Any:
        """Nothing is decided outside cells."""
        raise NotSo

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        """Cells have one outcome here."""

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> tuple[Key, str]:
        """Take a cell as an operation of its own."""
        if len(step.keys) != 1:
            raise NotSo
        name = f"{place} {CELL}"
        if not place or name in self._names:
            self.places = False
            name = f"{len(self._names)} {name}"
        self._names.add(name)
        inner, outer = next(iter(step.keys.items()))
        if self._zero is not None and self._zero(step, len(frame)):
            self._sieve.take(Node(name, ZERO, {}, frame, outer[0]))
        elif any(self._sieve.at(handle) in self._sieve.zero for handle in frame):
            raise NotSo
        else:
            # With a parameter it is merged with nothing.
            self._sieve.take(Node(name, CELL, {}, frame, outer[0], Cost(1)))
            self.uses[name] = step, place
        return inner, name

    @property
    def source(self) -> str:
        """The network's input that zeros read."""
        return self._sieve.source or ""


class Filler:
    """Makes networks of an outline: the live operations of cells put in where it has cells."""

    def __init__(self, outline: Outline, fragments: Fragments):
        self._fragments = fragments
        self._outputs = outline.network.outputs
        self._name = outline.network.name
        self._source = outline.source
        self._shapes: list[Shape] = []
        self._pieces: list[_Cell | _Between] = []
        uses = outline.uses
        for cells, nodes in groupby(outline.network.nodes, lambda node: node.id in uses):
            if cells:
                self._pieces += [self._cell(node, *uses[node.id]) for node in nodes]
            else:
                self._pieces.append(_Between(list(nodes), uses))

    def _cell(self, node: Node, step: UseCell, place: str) -> _Cell:
        body = self._fragments.body(step, len(node.inputs))
        if body.shape not in self._shapes:
            self._shapes.append(body.shape)
        return _Cell(node.id, node.inputs, body, place, self._shapes.index(body.shape))

    def network(self, decisions: Mapping[str, Any]) -> Network | None:
        """The live network of an architecture, or none where it is no filled outline."""
        designs = []
        for shape in self._shapes:
            fragment = self._fragments.of(shape, decisions)
            if fragment is None or fragment.live is None or not fragment.reads_all:
                return None
            designs.append(fragment.live)
        nodes: list[Node] = []
        results: dict[str, str] = {}
        for piece in self._pieces:
            frame = tuple([results.get(handle, handle) for handle in piece.reads])
            if isinstance(piece, _Between):
                nodes += piece.nodes(frame)
                continue
            parts, result = designs[piece.shape]
            spot = self._fragments.spot(piece.body, piece.place, (*frame, self._source))
            nodes += map(spot.__getitem__, parts)
            results[piece.id] = spot.id(result)
        outputs = tuple([results.get(handle, handle) for handle in self._outputs])
        return Network(tuple(nodes), outputs, self._name)


@dataclass(frozen=True, eq=False, slots=True)
class _Cell:
    """A use of a cell. ``reads`` are ids in the outline; ``shape`` is the number of its shape."""

    id: str
    reads: tuple[str, ...]
    body: Body
    place: str
    shape: int


class _Between:
    """Operations outside cells that stand together. ``reads`` are the cells they read."""

    def __init__(self, nodes: list[Node], cells: Container[str]):
        self._nodes = nodes
        self._known: dict[tuple[str, ...], list[Node]] = {}
        read = [operand for node in nodes for operand in node.inputs if operand in cells]
        self.reads = tuple(dict.fromkeys(read))

    def nodes(self, frame: tuple[str, ...]) -> list[Node]:
        """The operations where the cells they read have these results."""
        found = self._known.get(frame)
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            results = dict(zip(self.reads, frame, strict=True))
            found = self._known[frame] = [
                node
                if results.keys().isdisjoint(node.inputs)
                else node._replace(inputs=tuple([results.get(i, i) for i in node.inputs]))
                for node in self._nodes
            ]
        return found
