"""What is left of a space once everything that no decision changes has been worked out.

Elaborating a program leaves a directed acyclic graph of small steps. Each step reads a *frame*
(the tensors at hand, by position) and gives one tensor. Steps are shared wherever the same
text meets the same types, so the graph grows with the text, not with the space, and counting,
ranking, sampling and building all walk it.

A step knows its outcomes: for each pair (type of its tensor, what is known of the cells) the
number of ways to decide that lead there. A step that is not a decision has one way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nasdsl.diagnostics import Diagnostic, Span
from nasdsl.operations.operation import Cost, TensorType

Observation = tuple[str, Any, Any]
"""(cell, signature of a use, outcome there): a cell behaves the same wherever it is used."""
Known = frozenset[Observation]
Key = Any
"""The outcome of a step: (type, known)."""
Outcomes = dict[Key, int]

Late = tuple[int, str]
"""A decision taken where it is first needed: the number of its declaration, and its name."""
NO_LATE: frozenset[Late] = frozenset()

DONE: Key = ("done", frozenset())
"""The outcome of a whole network."""

POISON = TensorType((-1,))
"""The type of what could not be worked out; it fits everywhere, so one mistake is told once."""


class Emitter(Protocol):
    """Receives the operations of one architecture, in order."""

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        """Take one operation; returns the handle of its result."""

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision."""

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        """Learn how a cell came out at one of its uses."""


class Step:
    """One step. ``outcomes`` as described above; ``decides``: a decision lies in it."""

    __slots__ = ("broken", "decides", "late", "most", "outcomes")
    outcomes: Outcomes
    decides: bool
    broken: bool
    most: int
    """No architecture has more operations here."""
    late: frozenset[Late]
    """Decisions inside whose names belong to a declaration outside (see :class:`Owned`)."""

    def total(self, weights: Mapping[Key, int]) -> int:
        """The ways to decide, each weighted by its outcome."""
        return sum(n * weights.get(k, 0) for k, n in self.outcomes.items())

    @property
    def key(self) -> Key:
        """The outcome of a step that has only one."""
        return next(iter(self.outcomes))


class Ret(Step):
    """Gives a tensor of the frame as it is."""

    __slots__ = ("index",)

    def __init__(self, index: int, key: Key):
        self.index = index
        self.outcomes = {key: 1}
        self.decides = False
        self.broken = False
        self.late = NO_LATE
        self.most = 0


class Emit(Step):
    """Applies an operation to tensors of the frame."""

    __slots__ = ("cost", "inputs", "label", "op", "settings", "span", "type")

    def __init__(
        self,
        op: str,
        settings: Mapping[str, Any],
        inputs: tuple[int, ...],
        key: Key,
        cost: Cost,
        label: str,
        span: Span,
    ):
        self.op = op
        self.settings = settings
        self.inputs = inputs
        self.type: TensorType = key[0]
        self.cost = cost
        self.label = label
        self.span = span
        self.outcomes = {key: 1}
        self.decides = False
        self.broken = False
        self.late = NO_LATE
        self.most = 1


class Fail(Step):
    """A mistake that architectures which come here run into; gives poison."""

    __slots__ = ("diagnostic",)

    def __init__(self, diagnostic: Diagnostic, known: Known):
        self.diagnostic = diagnostic
        self.outcomes = {(POISON, known): 1}
        self.decides = False
        self.broken = True
        self.late = NO_LATE
        self.most = 0


class _Around(Step):
    """Comes to what another step comes to."""

    __slots__ = ("step",)

    def __init__(self, step: Step):
        self.step = step
        self.outcomes = step.outcomes
        self.decides = step.decides
        self.broken = step.broken
        self.late = step.late
        self.most = step.most


class On(_Around):
    """Runs a step on some tensors of the frame."""

    __slots__ = ("indices",)

    def __init__(self, indices: tuple[int, ...], step: Step):
        super().__init__(step)
        self.indices = indices


class Scope(_Around):
    """Adds a name to the path."""

    __slots__ = ("segment",)

    def __init__(self, segment: str, step: Step):
        super().__init__(step)
        self.segment = segment


class Copy(_Around):
    """Adds a copy's index to the next name of the path."""

    __slots__ = ("index",)

    def __init__(self, index: int, step: Step):
        super().__init__(step)
        self.index = index


class Then(Step):
    """Runs a step, then the one for its outcome.

    With ``keep`` the second reads the frame with the result added at its end (a node of a
    cell); without, the result alone (``>>``).
    """

    __slots__ = ("first", "keep", "rest")

    def __init__(self, first: Step, rest: dict[Key, Step], keep: bool):
        self.first = first
        self.rest = rest
        self.keep = keep
        outcomes: Outcomes = {}
        for key, ways in first.outcomes.items():
            for out, more in rest[key].outcomes.items():
                outcomes[out] = outcomes.get(out, 0) + ways * more
        self.outcomes = outcomes
        self.decides = first.decides or any(r.decides for r in rest.values())
        self.broken = first.broken or any(r.broken for r in rest.values())
        self.late = first.late.union(*(r.late for r in rest.values()))
        self.most = first.most + max(r.most for r in rest.values())


class Branch(Step):
    """A decision: ``name`` (added to the path) takes one of the values in order.

    ``kind`` is one of choice, label, value, pick, some, maybe, optional; ``of`` is the name
    that the text gives it: of the choice, of the variable, or ``inputs``. A late decision has
    the number of its declaration as ``owner``, and its name belongs to that path.
    """

    __slots__ = ("kind", "name", "of", "options", "owner", "span")

    def __init__(
        self,
        name: str,
        kind: str,
        of: str,
        options: Mapping[Any, Step],
        span: Span | None,
        owner: int | None = None,
    ):
        self.owner = owner
        self.of = of
        self.name = name
        self.kind = kind
        self.options = dict(options)
        self.span = span
        outcomes: Outcomes = {}
        for step in self.options.values():
            for out, ways in step.outcomes.items():
                outcomes[out] = outcomes.get(out, 0) + ways
        self.outcomes = outcomes
        self.decides = True
        self.broken = any(step.broken for step in self.options.values())
        self.most = max(step.most for step in self.options.values())
        self.late = frozenset().union(*(step.late for step in self.options.values()))
        if owner is not None:
            self.late |= {(owner, name)}


class Owned(Step):
    """The decisions of one declaration that are taken late, where they are first needed.

    Their names are those of the declaration's own path, and in the order of ranks they come
    first, in the order in which they are declared.
    """

    __slots__ = ("names", "owner", "step")

    def __init__(self, owner: int, names: tuple[str, ...], step: Step):
        self.owner = owner
        self.names = names
        self.step = step
        self.outcomes = step.outcomes
        self.decides = step.decides
        self.broken = step.broken
        self.most = step.most
        self.late = frozenset(late for late in step.late if late[0] != owner)


class Lift(Step):
    """A step that was worked out without things known that do not matter to it."""

    __slots__ = ("extra", "step")

    def __init__(self, step: Step, extra: Known):
        self.step = step
        self.extra = extra
        self.outcomes = {self.lifted(key): ways for key, ways in step.outcomes.items()}
        self.decides = step.decides
        self.broken = step.broken
        self.late = step.late
        self.most = step.most

    def lifted(self, key: Key) -> Key:
        """An outcome with what is known besides."""
        return key[0], key[1] | self.extra


class UseCell(Step):
    """A use of a cell. Its decisions are the cell's and are made once, elsewhere.

    ``keys`` maps each outcome of the body to the outcome of this use.
    """

    __slots__ = ("body", "cell", "keys", "signature")

    def __init__(self, cell: str, signature: Any, body: Step, keys: Mapping[Key, Key]):
        self.cell = cell
        self.signature = signature
        self.body = body
        self.keys = dict(keys)
        self.outcomes = dict.fromkeys(self.keys.values(), 1)
        self.decides = False
        self.broken = body.broken
        self.late = NO_LATE
        self.most = body.most


# ---- cells


class Joint(Step):
    """What several uses of a cell come to together where nothing is decided.

    The outcomes of a joint step are tuples: the outcome of each use.
    """

    __slots__ = ("parts",)

    def __init__(self, outcomes: Outcomes, parts: tuple[Step, ...]):
        self.outcomes = outcomes
        self.parts = parts
        self.decides = False
        self.broken = any(part.broken for part in parts)
        self.late = NO_LATE
        self.most = 0


@dataclass(frozen=True)
class CellDecisions:
    """The decisions of one cell, with what they come to at each of its uses.

    With ``only``, they are those of the architectures that use the cell with exactly these
    signatures; a cell whose uses allow different values has several of them.
    """

    name: str
    signatures: tuple[Any, ...]
    joint: Step
    only: frozenset[Any] | None = None

    def applies(self, known: Known) -> bool:
        """Whether an architecture of which this is known uses the cell so."""
        seen = {sig for c, sig, _ in known if c == self.name}
        return bool(seen) if self.only is None else seen == self.only

    def agrees(self, key: tuple[Key, ...], known: Known) -> bool:
        """Whether an outcome of the joint step is the one that was observed."""
        seen = {sig: k for c, sig, k in known if c == self.name}
        return all(seen.get(sig, k) == k for sig, k in zip(self.signatures, key, strict=True))


class Whole(Step):
    """The network under the values decided for the whole space, and the cells it uses.

    Cells that every architecture uses are decided first, then the network in the order of its
    text, then the cells that only some architectures use.
    """

    __slots__ = ("body", "combinations", "first", "last")

    def __init__(self, body: Step, cells: Sequence[CellDecisions]):
        self.body = body
        # Uses of a cell are decided together, so not all outcomes of the body come about.
        final = [
            key
            for key in body.outcomes
            if key[0] != POISON and all(self.agreeing(c, key) for c in cells if c.applies(key[1]))
        ]
        self.first = tuple(c for c in cells if all(c.applies(k[1]) for k in final))
        self.last = tuple(c for c in cells if c not in self.first)
        self.decides = True
        self.broken = body.broken
        self.late = NO_LATE
        self.most = body.most
        # What the body may come to under each combination of outcomes of the first cells.
        self.combinations: dict[tuple[Any, ...], dict[Key, int]] = {}
        for combination in itertools.product(*(c.joint.outcomes for c in self.first)):
            weights = {
                key: self.conditional(key)
                for key in final
                if all(c.agrees(k, key[1]) for c, k in zip(self.first, combination, strict=True))
            }
            if weights:
                self.combinations[combination] = weights
        total = 0
        for combination, weights in self.combinations.items():
            ways = body.total(weights)
            for cell, key in zip(self.first, combination, strict=True):
                ways *= cell.joint.outcomes[key]
            total += ways
        self.outcomes = {DONE: total}

    def conditional(self, key: Key) -> int:
        """Ways to decide the last cells after an outcome of the body."""
        ways = 1
        for cell in self.last:
            if cell.applies(key[1]):
                ways *= cell.joint.total(self.agreeing(cell, key))
        return ways

    @staticmethod
    def agreeing(cell: CellDecisions, key: Key) -> dict[Key, int]:
        """The outcomes of a cell's decisions that agree with what was observed."""
        return {k: 1 for k in cell.joint.outcomes if cell.agrees(k, key[1])}


# ---- whole-graph walks


def steps(root: Step) -> list[Step]:
    """Every step reachable from one, each once."""
    seen: dict[int, Step] = {}
    stack = [root]
    while stack:
        step = stack.pop()
        if id(step) in seen:
            continue
        seen[id(step)] = step
        stack.extend(below(step))
    return list(seen.values())


def bottom_up(root: Step, inside: Callable[[Step], Iterable[Step]]) -> list[Step]:
    """Every step reachable from one, each once, after all that is inside it.

    Long chains nest deeper than Python's recursion goes; what is worked out in this order
    finds its parts worked out already.
    """
    order: list[Step] = []
    seen: set[int] = set()
    stack: list[tuple[Step, bool]] = [(root, False)]
    while stack:
        step, ready = stack.pop()
        if ready:
            order.append(step)
        elif id(step) not in seen:
            seen.add(id(step))
            stack.append((step, True))
            stack.extend((part, False) for part in inside(step) if id(part) not in seen)
    return order


def below(step: Step) -> list[Step]:
    """The steps directly inside one."""
    if isinstance(step, Then):
        return [step.first, *step.rest.values()]
    if isinstance(step, Branch):
        return list(step.options.values())
    if isinstance(step, On | Scope | Copy | Owned | Lift):
        return [step.step]
    if isinstance(step, UseCell):
        return [step.body]
    if isinstance(step, Joint):
        return list(step.parts)
    if isinstance(step, Whole):
        return [step.body, *(c.joint for c in (*step.first, *step.last))]
    return []
