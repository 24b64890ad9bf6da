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
from collections.abc import Mapping, Sequence
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

    __slots__ = ("broken", "decides", "outcomes")
    outcomes: Outcomes
    decides: bool
    broken: bool

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


class Fail(Step):
    """A mistake that architectures which come here run into; gives poison."""

    __slots__ = ("diagnostic",)

    def __init__(self, diagnostic: Diagnostic, known: Known):
        self.diagnostic = diagnostic
        self.outcomes = {(POISON, known): 1}
        self.decides = False
        self.broken = True


class On(Step):
    """Runs a step on some tensors of the frame."""

    __slots__ = ("indices", "step")

    def __init__(self, indices: tuple[int, ...], step: Step):
        self.indices = indices
        self.step = step
        self.outcomes = step.outcomes
        self.decides = step.decides
        self.broken = step.broken


class Scope(Step):
    """Adds a name to the path."""

    __slots__ = ("segment", "step")

    def __init__(self, segment: str, step: Step):
        self.segment = segment
        self.step = step
        self.outcomes = step.outcomes
        self.decides = step.decides
        self.broken = step.broken


class Copy(Step):
    """Adds a copy's index to the next name of the path."""

    __slots__ = ("index", "step")

    def __init__(self, index: int, step: Step):
        self.index = index
        self.step = step
        self.outcomes = step.outcomes
        self.decides = step.decides
        self.broken = step.broken


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


class Branch(Step):
    """A decision: ``name`` (added to the path) takes one of the values in order.

    ``kind`` is one of choice, label, value, pick, some, maybe, optional; ``of`` is the name
    that the text gives it: of the choice, of the variable, or ``inputs``.
    """

    __slots__ = ("kind", "name", "of", "options", "span")

    def __init__(
        self, name: str, kind: str, of: str, options: Mapping[Any, Step], span: Span | None
    ):
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


def join(path: str, name: str) -> str:
    """A path with a name added."""
    if not path:
        return name
    return f"{path}.{name}" if name else path


def run(
    step: Step,
    frame: tuple[str, ...],
    emitter: Emitter,
    place: str = "",
    path: str = "",
    pending: str = "",
) -> tuple[Key, str]:
    """Carry out a step for one architecture; returns its outcome and the handle of its tensor.

    ``place`` is where in the network we are, ``path`` the path of decisions (they part inside
    cells), ``pending`` the indices of copies not yet attached to a name.
    """
    while True:
        if isinstance(step, Emit):
            operands = tuple([frame[i] for i in step.inputs])
            name = join(place, step.label + pending)
            return step.key, emitter.emit(step, operands, name)
        if isinstance(step, Then):
            key, handle = run(step.first, frame, emitter, place, path, pending)
            frame = (*frame, handle) if step.keep else (handle,)
            step = step.rest[key]
        elif isinstance(step, Scope):
            place = join(place, step.segment + pending)
            path = join(path, step.segment + pending)
            pending = ""
            step = step.step
        elif isinstance(step, On):
            frame = tuple([frame[i] for i in step.indices])
            step = step.step
        elif isinstance(step, Branch):
            name = join(path, step.name + pending) if step.name else path + pending
            step = step.options[emitter.decide(name, step)]
        elif isinstance(step, Copy):
            pending += f"[{step.index}]"
            step = step.step
        elif isinstance(step, Ret):
            return step.key, frame[step.index]
        elif isinstance(step, UseCell):
            inner, handle = run(step.body, frame, emitter, place, step.cell, "")
            emitter.saw(step.cell, step.signature, inner)
            return step.keys[inner], handle
        elif isinstance(step, Whole):
            _, handle = run(step.body, frame, emitter, place, path, pending)
            return DONE, handle
        else:
            assert isinstance(step, Fail)
            raise RuntimeError(f"a broken space was built: {step.diagnostic.message}")


# ---- ranks


def unrank(
    step: Step,
    weights: Mapping[Key, int],
    rank: int,
    decided: dict[str, Any],
    path: str = "",
    pending: str = "",
) -> tuple[Key, int]:
    """The decisions of a rank below ``step.total(weights)``, added to ``decided``.

    Returns the outcome and the rank that is left within the outcome's weight.
    """
    while True:
        if isinstance(step, Then):
            ahead = {k: step.rest[k].total(weights) for k in step.first.outcomes}
            if step.first.decides or len(ahead) > 1:
                key, rank = unrank(step.first, ahead, rank, decided, path, pending)
            else:
                key = step.first.key
            step = step.rest[key]
            if not step.decides and len(step.outcomes) == 1:
                return step.key, rank
        elif isinstance(step, Branch):
            name = join(path, step.name + pending) if step.name else path + pending
            for value, option in step.options.items():
                ways = option.total(weights)
                if rank < ways:
                    break
                rank -= ways
            decided[name] = value
            step = option
        elif isinstance(step, Scope):
            path = join(path, step.segment + pending)
            pending = ""
            step = step.step
        elif isinstance(step, Copy):
            pending += f"[{step.index}]"
            step = step.step
        elif isinstance(step, On):
            step = step.step
        elif isinstance(step, Whole):
            return DONE, step.unrank(rank // weights[DONE], decided)
        else:
            for key, ways in step.outcomes.items():
                weight = ways * weights.get(key, 0)
                if rank < weight:
                    return key, rank
                rank -= weight
            raise AssertionError("a rank beyond the total")


class Missing(Exception):
    """A decision without a value, or with one that is not allowed.

    Attributes: ``name`` of the decision, ``options`` in order, ``value`` or ``None``.
    """

    def __init__(self, name: str, options: tuple[Any, ...], value: Any = None):
        super().__init__(name)
        self.name = name
        self.options = options
        self.value = value


@dataclass
class Reading:
    """Decisions being ranked: their values, and which outcome each cell has where."""

    decisions: Mapping[str, Any]
    cells: Mapping[tuple[str, Any], Key]
    used: set[str]

    def agrees(self, key: tuple[Key, ...]) -> bool:
        """Whether the outcomes of a joint step are those of the cells inside."""
        return all(self.cells.get((c, sig), k) == k for outcome in key for c, sig, k in outcome[1])

    def value(self, name: str, options: Mapping[Any, Any]) -> Any:
        """The value of a decision, checked against its options."""
        if name not in self.decisions:
            raise Missing(name, tuple(options))
        value = self.decisions[name]
        if value not in options:
            raise Missing(name, tuple(options), value)
        self.used.add(name)
        return value


def rank_of(
    step: Step,
    weights: Mapping[Key, int],
    reading: Reading,
    path: str = "",
    pending: str = "",
) -> tuple[Key, int]:
    """The inverse of :func:`unrank`: the outcome, and the rank of its first way."""
    rank = 0
    while True:
        if isinstance(step, Then):
            ahead = {k: step.rest[k].total(weights) for k in step.first.outcomes}
            key, before = rank_of(step.first, ahead, reading, path, pending)
            rank += before
            step = step.rest[key]
        elif isinstance(step, Branch):
            name = join(path, step.name + pending) if step.name else path + pending
            chosen = reading.value(name, step.options)
            for value, option in step.options.items():
                if value == chosen:
                    break
                rank += option.total(weights)
            step = step.options[chosen]
        elif isinstance(step, Scope):
            path = join(path, step.segment + pending)
            pending = ""
            step = step.step
        elif isinstance(step, Copy):
            pending += f"[{step.index}]"
            step = step.step
        elif isinstance(step, On):
            step = step.step
        elif isinstance(step, UseCell):
            key = reading.cells[step.cell, step.signature]
            out = step.keys[key]
            for other, ways in step.outcomes.items():
                if other == out:
                    return out, rank
                rank += ways * weights.get(other, 0)
        elif isinstance(step, Whole):
            return DONE, rank + step.rank(reading) * weights[DONE]
        elif isinstance(step, Joint):
            for key, ways in step.outcomes.items():
                if reading.agrees(key):
                    return key, rank
                rank += ways * weights.get(key, 0)
        else:
            return step.key, rank


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
        self.broken = False


@dataclass(frozen=True)
class CellDecisions:
    """The decisions of one cell, with what they come to at each of its uses."""

    name: str
    signatures: tuple[Any, ...]
    joint: Step

    def agrees(self, key: tuple[Key, ...], known: Known) -> bool:
        """Whether an outcome of the joint step is the one that was observed."""
        seen = {sig: k for c, sig, k in known if c == self.name}
        return all(seen.get(sig, k) == k for sig, k in zip(self.signatures, key, strict=True))


class Whole(Step):
    """The network under the values decided for the whole space, and the cells it uses.

    Cells that every architecture uses are decided first, then the network in the order of its
    text, then the cells that only some architectures use.
    """

    __slots__ = ("_combinations", "body", "first", "last")

    def __init__(self, body: Step, cells: Sequence[CellDecisions]):
        self.body = body
        final = list(body.outcomes)
        self.first = tuple(c for c in cells if all(_uses(k[1], c.name) for k in final))
        self.last = tuple(c for c in cells if c not in self.first)
        self.decides = True
        self.broken = body.broken
        # What the body may come to under each combination of outcomes of the first cells.
        self._combinations: dict[tuple[Any, ...], dict[Key, int]] = {}
        for combination in itertools.product(*(c.joint.outcomes for c in self.first)):
            weights = {
                key: self._conditional(key)
                for key in final
                if all(c.agrees(k, key[1]) for c, k in zip(self.first, combination, strict=True))
            }
            if weights:
                self._combinations[combination] = weights
        total = 0
        for combination, weights in self._combinations.items():
            ways = body.total(weights)
            for cell, key in zip(self.first, combination, strict=True):
                ways *= cell.joint.outcomes[key]
            total += ways
        self.outcomes = {DONE: total}

    def _conditional(self, key: Key) -> int:
        ways = 1
        for cell in self.last:
            if _uses(key[1], cell.name):
                ways *= cell.joint.total(self._agreeing(cell, key))
        return ways

    @staticmethod
    def _agreeing(cell: CellDecisions, key: Key) -> dict[Key, int]:
        return {k: 1 for k in cell.joint.outcomes if cell.agrees(k, key[1])}

    def _ahead(self, chosen: tuple[Any, ...]) -> dict[Key, int]:
        """Ways to go on after each outcome of the next cell."""
        at = len(chosen)
        ahead: dict[Key, int] = {}
        for combination, weights in self._combinations.items():
            if combination[:at] != chosen:
                continue
            ways = self.body.total(weights)
            for cell, key in zip(self.first[at + 1 :], combination[at + 1 :], strict=True):
                ways *= cell.joint.outcomes[key]
            ahead[combination[at]] = ahead.get(combination[at], 0) + ways
        return ahead

    def unrank(self, rank: int, decided: dict[str, Any]) -> int:
        """The decisions of a rank."""
        chosen: tuple[Any, ...] = ()
        for cell in self.first:
            key, rank = unrank(cell.joint, self._ahead(chosen), rank, decided, cell.name)
            chosen = (*chosen, key)
        final, rank = unrank(self.body, self._combinations[chosen], rank, decided)
        for at, cell in enumerate(self.last):
            if _uses(final[1], cell.name):
                after = 1
                for other in self.last[at + 1 :]:
                    if _uses(final[1], other.name):
                        after *= other.joint.total(self._agreeing(other, final))
                weights = dict.fromkeys(self._agreeing(cell, final), after)
                _, rank = unrank(cell.joint, weights, rank, decided, cell.name)
        return rank

    def rank(self, reading: Reading) -> int:
        """The inverse of :meth:`unrank`."""
        rank = 0
        chosen: tuple[Any, ...] = ()
        for cell in self.first:
            key, before = rank_of(cell.joint, self._ahead(chosen), reading, cell.name)
            rank += before
            chosen = (*chosen, key)
        final, before = rank_of(self.body, self._combinations[chosen], reading)
        rank += before
        for at, cell in enumerate(self.last):
            if _uses(final[1], cell.name):
                after = 1
                for other in self.last[at + 1 :]:
                    if _uses(final[1], other.name):
                        after *= other.joint.total(self._agreeing(other, final))
                weights = dict.fromkeys(self._agreeing(cell, final), after)
                rank += rank_of(cell.joint, weights, reading, cell.name)[1]
        return rank


def _uses(known: Known, cell: str) -> bool:
    return any(c == cell for c, _, _ in known)


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


def below(step: Step) -> list[Step]:
    """The steps directly inside one."""
    if isinstance(step, Then):
        return [step.first, *step.rest.values()]
    if isinstance(step, Branch):
        return list(step.options.values())
    if isinstance(step, On | Scope | Copy):
        return [step.step]
    if isinstance(step, UseCell):
        return [step.body]
    if isinstance(step, Whole):
        return [step.body, *(c.joint for c in (*step.first, *step.last))]
    return []
