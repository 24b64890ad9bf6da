"""From decisions to operations: what a walk over the steps emits, cells remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nasdsl.graph.network import INPUT, Node
from nasdsl.operations.operation import TensorType
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


@dataclass(frozen=True)
class Fragment:
    """What one design of a cell emits for inputs of given types.

    An operand is a place in ``entries``, or -1 - i for input i of the cell.
    """

    outcome: Key
    entries: tuple[tuple[Emit, tuple[int, ...], str], ...]
    result: int
    seen: tuple[tuple[str, Any, Key], ...]


class Builder(Recorder):
    """Collects the operations of one architecture whose decisions are known to be legal."""

    def __init__(
        self,
        decisions: Mapping[str, Any],
        inputs: Iterable[tuple[str, TensorType]],
        fragments: dict[Any, Any],
    ):
        super().__init__(decisions)
        self.nodes = [Node(name, INPUT, {}, (), type_) for name, type_ in inputs]
        self._names = {node.id for node in self.nodes}
        self._fragments = fragments
        self._places: set[str] = set()
        self._designs: dict[tuple[str, ...], tuple[Any, ...]] = {}

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        """Add an operation; a name that is taken is numbered."""
        names = self._names
        if name in names:
            number = 2
            while f"{name}~{number}" in names:
                number += 1
            name = f"{name}~{number}"
        names.add(name)
        self.nodes.append(
            Node(name, step.op, step.settings, operands, step.type, step.cost, step.span)
        )
        return name

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision."""
        return self.decisions[name]

    def _cells(self, step: UseCell) -> tuple[str, ...]:
        """The cell of a use, and the cells used inside it."""
        key = ("cells", id(step.body))
        found: Any = self._fragments.get(key)
        if found is None:
            inner = {s.cell for s in steps(step.body) if isinstance(s, UseCell)}
            found = (step.cell, *sorted(inner - {step.cell}))
            self._fragments[key] = found
        return found  # type: ignore[no-any-return]

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> tuple[Key, str] | None:
        """Emit a cell as it was emitted for the same design and types before."""
        cells = self._cells(step)
        design = self._designs.get(cells)
        if design is None:
            prefixes = tuple([f"{cell}." for cell in cells])
            design = tuple([(n, v) for n, v in self.decisions.items() if n.startswith(prefixes)])
            self._designs[cells] = design
        # The body itself is in the key and so stays alive: its id cannot be another's.
        key = (id(step.body), design)
        fragment = self._fragments.get(key)
        if fragment is None:
            writer = _Writer(self.decisions)
            inner: Any = tuple(range(-1, -1 - len(frame), -1))
            outcome, result = run(step.body, inner, writer, "", step.cell, "")
            result_at: Any = result
            names = [name for _, _, name in writer.entries]
            if len(set(names)) < len(names):
                return None
            fragment = Fragment(outcome, tuple(writer.entries), result_at, tuple(writer.seen))
            if len(self._fragments) >= KEPT:
                self._fragments.clear()
            self._fragments[key] = fragment
        for cell, signature, known in fragment.seen:
            self.saw(cell, signature, known)
        handles: list[str] = []
        fresh = place not in self._places and bool(place)
        self._places.add(place)
        prefix = f"{place}."
        for emitted, operands, name in fragment.entries:
            given = tuple([handles[o] if o >= 0 else frame[-1 - o] for o in operands])
            if fresh and name:
                # The names of a fragment differ from each other, and nothing else is called so.
                handle = prefix + name
                self.nodes.append(
                    Node(
                        handle,
                        emitted.op,
                        emitted.settings,
                        given,
                        emitted.type,
                        emitted.cost,
                        emitted.span,
                    )
                )
                handles.append(handle)
            else:
                handles.append(self.emit(emitted, given, join(place, name)))
        result_place = fragment.result
        return fragment.outcome, (
            handles[result_place] if result_place >= 0 else frame[-1 - result_place]
        )


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
