"""From decisions to operations: what a walk over the steps emits, cells remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nasdsl.diagnostics import Span
from nasdsl.graph.live import FREE, NO_SETTINGS, SPECIAL, ZERO, Sieve
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Cost, Operation, TensorType
from nasdsl.space.ranks import Missing
from nasdsl.space.residual import Branch, Emit, Key, UseCell, steps
from nasdsl.space.walk import join, run

KEPT = 20_000


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


Entry = tuple[Emit, tuple[int, ...], str]


class Left(NamedTuple):
    """A live operation of a cell, with what a node needs of it."""

    name: str
    op: str
    settings: Mapping[str, Any]
    operands: tuple[int, ...]
    type: TensorType
    cost: Cost
    span: Span | None


@dataclass(frozen=True)
class Fragment:
    """What one design of a cell emits for inputs of given types.

    An operand is a place in ``entries``, or -1 - i for input i of the cell; ``live`` is what is
    left of the entries where no input is zero, and the result, or none where that is zero;
    ``reads_all``: that reads every input. The input of the network, which constants take, has
    the place before that of the cell's last input.
    """

    outcome: Key
    entries: tuple[Entry, ...]
    result: int
    seen: tuple[tuple[str, Any, Key], ...]
    live: tuple[tuple[Left, ...], int] | None
    reads_all: bool


Sifted = tuple[tuple[tuple[int, tuple[int, ...], bool], ...], int]
"""The entries that are left, by place, with their operands among them; zeros; and the result."""


def _sifted(
    entries: list[Entry],
    result: int,
    inputs: int,
    operations: Mapping[str, Operation],
    known: dict[Any, Any],
) -> tuple[tuple[Left, ...], int] | None:
    """The live part of what a cell emits."""
    # Uses that differ in sizes alone are alike here.
    shape = tuple(
        [
            (e.op, operands, e.op not in SPECIAL and operations[e.op].zero(e.settings))
            for e, operands, _ in entries
        ]
    )
    key = ("live", shape, result, inputs)
    if key not in known:
        known[key] = _sieved(entries, result, inputs, operations)
    found: Sifted | None = known[key]
    if found is None:
        return None
    left = []
    for i, operands, zero in found[0]:
        e, _, name = entries[i]
        if not name:
            return None
        left.append(
            Left(name, ZERO, NO_SETTINGS, operands, e.type, FREE, e.span)
            if zero
            else Left(name, e.op, e.settings, operands, e.type, e.cost, e.span)
        )
    return tuple(left), found[1]


def _sieved(
    entries: list[Entry], result: int, inputs: int, operations: Mapping[str, Operation]
) -> Sifted | None:
    sieve = Sieve(operations)
    for i in range(inputs):
        sieve.take(Node(str(-1 - i), INPUT, {}, (), _ANY))
    for i, (emitted, operands, _) in enumerate(entries):
        given = tuple(map(str, operands))
        sieve.take(Node(str(i), emitted.op, emitted.settings, given, emitted.type))
    network = sieve.network((str(result),), "cell")
    place = {str(-1 - i): -1 - i for i in range(inputs)}
    if network.outputs[0] in sieve.zero:
        return None
    left: list[tuple[int, tuple[int, ...], bool]] = []
    for node in network.nodes:
        if node.op != INPUT:
            place[node.id] = len(left)
            zero = node.op == ZERO
            operands = (-1 - inputs,) if zero else tuple([place[o] for o in node.inputs])
            left.append((int(node.id), operands, zero))
    return tuple(left), place[network.outputs[0]]


_ANY = TensorType(())


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
        fragments: dict[Any, Any],
        operations: Mapping[str, Operation],
    ):
        super().__init__(decisions)
        self.nodes: list[Node] = []
        self._operations = operations
        self._names: set[str] = set()
        self._fragments = fragments
        self._places: set[str] = set()
        self._designs: dict[tuple[str, ...], tuple[Any, ...]] = {}
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

    def _cells(self, step: UseCell) -> tuple[str, ...]:
        """The cell of a use, and the cells used inside it."""
        key = ("cells", id(step.body))
        found: tuple[str, ...] | None = self._fragments.get(key)
        if found is None:
            inner = {s.cell for s in steps(step.body) if isinstance(s, UseCell)}
            found = (step.cell, *sorted(inner - {step.cell}))
            self._fragments[key] = found
        return found

    def fragment(self, step: UseCell, inputs: int) -> Fragment | None:
        """What the design of a cell comes to at a use, remembered; none where names collide."""
        cells = self._cells(step)
        design = self._designs.get(cells)
        if design is None:
            prefixes = tuple([f"{cell}." for cell in cells])
            design = tuple([(n, v) for n, v in self.decisions.items() if n.startswith(prefixes)])
            self._designs[cells] = design
        # The space keeps the body alive, so its id cannot be another's.
        key = (id(step.body), design)
        found: Fragment | None = self._fragments.get(key)
        if found is not None:
            return found
        writer = _Writer(self.decisions)
        inner: Any = tuple(range(-1, -1 - inputs, -1))
        outcome, result = run(step.body, inner, writer, "", step.cell, "")
        result_at: Any = result
        names = [name for _, _, name in writer.entries]
        if len(set(names)) < len(names):
            return None
        left = _sifted(writer.entries, result_at, inputs, self._operations, self._fragments)
        read = set() if left is None else {left[1], *[o for e in left[0] for o in e.operands]}
        found = Fragment(
            outcome,
            tuple(writer.entries),
            result_at,
            tuple(writer.seen),
            left,
            read.issuperset(inner),
        )
        if len(self._fragments) >= KEPT:
            self._fragments.clear()
        self._fragments[key] = found
        return found

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> tuple[Key, str] | None:
        """Emit a cell as it was emitted for the same design and types before."""
        fragment = self.fragment(step, len(frame))
        if fragment is None:
            return None
        for cell, signature, known in fragment.seen:
            self.saw(cell, signature, known)
        fresh = place not in self._places and bool(place)
        self._places.add(place)
        return fragment.outcome, self._place(fragment, frame, place, fresh)

    def _place(self, fragment: Fragment, frame: tuple[str, ...], place: str, fresh: bool) -> str:
        """Emit a fragment; ``fresh``: nothing has been emitted at this place yet."""
        handles: list[str] = []
        for emitted, operands, name in fragment.entries:
            given = tuple([handles[o] if o >= 0 else frame[-1 - o] for o in operands])
            if fresh and name:
                # The names of a fragment differ from each other, and nothing else is called so.
                handle = f"{place}.{name}"
                cost, span = emitted.cost, emitted.span
                self._add(
                    Node(handle, emitted.op, emitted.settings, given, emitted.type, cost, span)
                )
                handles.append(handle)
            else:
                handles.append(self.emit(emitted, given, join(place, name)))
        at = fragment.result
        return handles[at] if at >= 0 else frame[-1 - at]


class LiveBuilder(Builder):
    """Collects what is live of one architecture, cells as they were found to be live before."""

    def __init__(
        self,
        decisions: Mapping[str, Any],
        inputs: Iterable[tuple[str, TensorType]],
        fragments: dict[Any, Any],
        operations: Mapping[str, Operation],
    ):
        self._sieve = Sieve(operations)
        super().__init__(decisions, inputs, fragments, operations)

    def _add(self, node: Node) -> None:
        self._sieve.take(node)

    def network(self, output: str, name: str) -> Network:
        """The live network."""
        return self._sieve.network((output,), name)

    def _place(self, fragment: Fragment, frame: tuple[str, ...], place: str, fresh: bool) -> str:
        sieve = self._sieve
        frame = tuple([sieve.at(handle) for handle in frame])
        left = fragment.live
        if left is None or not fresh or not sieve.zero.isdisjoint(frame):
            return super()._place(fragment, frame, place, fresh)
        entries, at = left
        made, result = placed(entries, at, place, frame, sieve.source)
        sieve.kept.update([(node.id, node) for node in made])
        return result


def placed(
    entries: tuple[Left, ...], result: int, place: str, frame: tuple[str, ...], source: str | None
) -> tuple[list[Node], str]:
    """The live operations of a cell at a place of its own, and its result.

    ``frame`` are its inputs, ``source`` is the input of the network.
    """
    prefix = f"{place}."
    # Negative places, which are the inputs, are found from the end.
    handles = [prefix + entry[0] for entry in entries]
    if source is not None:
        handles.append(source)
    handles += reversed(frame)
    made = [
        tuple.__new__(
            Node, (handle, op, settings, tuple([handles[o] for o in operands]), type_, cost, span)
        )
        for handle, (_, op, settings, operands, type_, cost, span) in zip(
            handles, entries, strict=False
        )
    ]
    return made, handles[result]


class _Writer(Recorder):
    """Writes a fragment: handles are places."""

    def __init__(self, decisions: Mapping[str, Any]):
        super().__init__(decisions)
        self.entries: list[tuple[Emit, tuple[int, ...], str]] = []
        self.seen: list[tuple[str, Any, Key]] = []

    def emit(self, step: Emit, operands: Any, name: str) -> Any:
        self.entries.append((step, operands, name))
        return len(self.entries) - 1

    def decide(self, name: str, branch: Branch) -> Any:
        return self.decisions[name]

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        self.seen.append((cell, signature, outcome))
