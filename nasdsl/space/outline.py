"""What the networks of a space have in common where nothing is decided outside cells.

Everything else is then emitted once: a network is the outline with the live operations of its
cells put in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nasdsl.graph.live import ZERO, Sieve
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Cost, Operation, TensorType
from nasdsl.space.building import Builder, numbered, placed
from nasdsl.space.registers import NotSo
from nasdsl.space.residual import Branch, Emit, Key, Step, UseCell
from nasdsl.space.walk import run

CELL = "a cell"


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

    def filled(self, builder: Builder) -> Network | None:
        """The live network of a builder's decisions, or none where it is no filled outline."""
        nodes: list[Node] = []
        at: dict[str, str] = {}
        uses = self.uses
        for node in self.network.nodes:
            frame = node.inputs
            if at:
                frame = tuple([at.get(handle, handle) for handle in frame])
            use = uses.get(node.id)
            if use is None:
                nodes.append(node if frame == node.inputs else node._replace(inputs=frame))
                continue
            step, place = use
            fragment = builder.fragment(step, len(frame))
            if fragment is None or fragment.live is None or not fragment.reads_all:
                return None
            made, at[node.id] = placed(*fragment.live, place, frame, self._sieve.source)
            nodes += made
        outputs = tuple([at.get(o, o) for o in self.network.outputs])
        return Network(tuple(nodes), outputs, self.network.name)
