"""From decisions to operations: what a walk over the steps emits, cells remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nasdsl.graph.live import Sieve
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Operation, TensorType
from nasdsl.space.fragments import Body, Fragment, Fragments, Operand, Shape
from nasdsl.space.ranks import Missing
from nasdsl.space.residual import Branch, Emit, Key, UseCell
from nasdsl.space.walk import join


class Recorder:
    """Follows decisions without building anything, and checks them."""

    def __init__(self, decisions: Mapping[str, Any]):
        self.decisions = decisions
        self.decided: dict[str, Any] = {}
        self.paths: dict[int, str] = {}
        self.cells: dict[tuple[str, Any], Key] = {}

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        """Take an operation."""
        return name

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision; raises :class:`~nasdsl.space.ranks.Missing`."""
        if name not in self.decisions:
            raise Missing(name, tuple(branch.options))
        value = self.decisions[name]
        try:
            known = value in branch.options
        except TypeError:
            known = False
        # True is no 1, though Python has them equal.
        if not known or isinstance(value, bool) != isinstance(next(iter(branch.options)), bool):
            raise Missing(name, tuple(branch.options), value)
        self.decided[name] = value
        return value

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        """Remember how a cell came out."""
        self.cells[cell, signature] = outcome

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> tuple[Key, str] | None:
        """Every cell is walked."""
        return None


def numbered(name: str, taken: set[str]) -> str:
    """A name, numbered where it is taken; it is taken from then on."""
    if name in taken:
        number = 2
        while f"{name}~{number}" in taken:
            number += 1
        name = f"{name}~{number}"
    taken.add(name)
    return name


class Builder(Recorder):
    """Collects the operations of one architecture whose decisions are known to be legal."""

    def __init__(
        self,
        decisions: Mapping[str, Any],
        inputs: Iterable[tuple[str, TensorType]],
        fragments: Fragments,
    ):
        super().__init__(decisions)
        self.nodes: list[Node] = []
        self._names: set[str] = set()
        self._fragments = fragments
        self._places: set[str] = set()
        self._found: dict[Shape, Fragment | None] = {}
        for name, type_ in inputs:
            self._names.add(name)
            self._add(Node(name, INPUT, {}, (), type_))

    def _add(self, node: Node) -> None:
        self.nodes.append(node)

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        """Add an operation; a name that is taken is numbered."""
        name = numbered(name, self._names)
        self._add(Node(name, step.op, step.settings, operands, step.type, step.cost, step.span))
        return name

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision."""
        return self.decisions[name]

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> tuple[Key, str] | None:
        """Emit a cell as it was emitted for the same design before."""
        body = self._fragments.body(step, len(frame))
        if body.shape not in self._found:
            self._found[body.shape] = self._fragments.of(body.shape, self.decisions)
        fragment = self._found[body.shape]
        if fragment is None:
            return None
        fresh = place not in self._places and bool(place)
        self._places.add(place)
        return body.outcomes[fragment.outcome], self._place(fragment, body, frame, place, fresh)

    def _place(
        self, fragment: Fragment, body: Body, frame: tuple[str, ...], place: str, fresh: bool
    ) -> str:
        """Emit a fragment; ``fresh``: nothing has been emitted at this place yet."""
        handles: dict[Operand, str] = {-1 - i: handle for i, handle in enumerate(frame)}
        for part in fragment.written:
            emit = body.emits[part.emit]
            given = tuple([handles[operand] for operand in part.operands])
            if fresh and part.name:
                # The names of a fragment differ from each other, and nothing else is called so.
                handle = handles[part.name] = f"{place}.{part.name}"
                self._add(
                    Node(handle, emit.op, emit.settings, given, emit.type, emit.cost, emit.span)
                )
            else:
                handles[part.name] = self.emit(emit, given, join(place, part.name))
        return handles[fragment.result]


class LiveBuilder(Builder):
    """Collects what is live of one architecture, cells as they were found to be live before."""

    def __init__(
        self,
        decisions: Mapping[str, Any],
        inputs: Iterable[tuple[str, TensorType]],
        fragments: Fragments,
        operations: Mapping[str, Operation],
    ):
        self._sieve = Sieve(operations)
        super().__init__(decisions, inputs, fragments)

    def _add(self, node: Node) -> None:
        self._sieve.take(node)

    def network(self, output: str, name: str) -> Network:
        """The live network."""
        return self._sieve.network((output,), name)

    def _place(
        self, fragment: Fragment, body: Body, frame: tuple[str, ...], place: str, fresh: bool
    ) -> str:
        sieve = self._sieve
        frame = tuple([sieve.at(handle) for handle in frame])
        if fragment.live is None or not fresh or not sieve.zero.isdisjoint(frame):
            return super()._place(fragment, body, frame, place, fresh)
        parts, result = fragment.live
        spot = self._fragments.spot(body, place, (*frame, sieve.source or ""))
        sieve.kept.update([(node.id, node) for node in map(spot.__getitem__, parts)])
        return spot.id(result)
