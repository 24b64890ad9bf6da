"""Sums over architectures without visiting them: extremes and distributions of additive costs.

A cost is additive where it is a sum over the operations and decisions of an architecture. Costs
of a live network are, where neither zeros nor unused parts can occur (:func:`is_additive`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from nasdsl.space.residual import (
    Branch,
    CellDecisions,
    Copy,
    Emit,
    Joint,
    Key,
    Lift,
    On,
    Owned,
    Ret,
    Scope,
    Step,
    Then,
    UseCell,
    Whole,
    below,
    bottom_up,
    steps,
)

T = TypeVar("T")
Cost = tuple[int, ...]


class Algebra(Protocol[T]):
    """How costs of parts become the cost of the whole."""

    def one(self, cost: Cost) -> T:
        """A single way with a cost."""

    def either(self, a: T, b: T) -> T:
        """The ways of both."""

    def both(self, a: T, b: T) -> T:
        """Each way of one with each way of the other, costs added."""


class Extremes:
    """The least and the greatest of each cost apart: ((low, …), (high, …))."""

    def one(self, cost: Cost) -> tuple[Cost, Cost]:
        """A single way."""
        return cost, cost

    def either(self, a: tuple[Cost, Cost], b: tuple[Cost, Cost]) -> tuple[Cost, Cost]:
        """The outermost of both."""
        return (
            tuple(map(min, a[0], b[0])),
            tuple(map(max, a[1], b[1])),
        )

    def both(self, a: tuple[Cost, Cost], b: tuple[Cost, Cost]) -> tuple[Cost, Cost]:
        """The sums."""
        return (
            tuple([x + y for x, y in zip(a[0], b[0], strict=True)]),
            tuple([x + y for x, y in zip(a[1], b[1], strict=True)]),
        )


class TooMany(Exception):
    """There are more different costs, or ways to use cells in each other, than are kept."""


WAYS = 600
"""So many outcomes of a step, each with the uses of cells on the way, are told apart; more where a
step has many outcomes by itself."""


class Distribution:
    """How many ways there are for each cost."""

    def __init__(self, limit: int = 200_000):
        self.limit = limit

    def one(self, cost: Cost) -> dict[Cost, int]:
        """A single way."""
        return {cost: 1}

    def either(self, a: dict[Cost, int], b: dict[Cost, int]) -> dict[Cost, int]:
        """Counts added."""
        out = dict(a)
        for cost, ways in b.items():
            out[cost] = out.get(cost, 0) + ways
        return out

    def both(self, a: dict[Cost, int], b: dict[Cost, int]) -> dict[Cost, int]:
        """The convolution."""
        if len(a) * len(b) > 4 * self.limit:
            raise TooMany
        out: dict[Cost, int] = {}
        for x, m in a.items():
            for y, n in b.items():
                cost = tuple([p + q for p, q in zip(x, y, strict=True)])
                out[cost] = out.get(cost, 0) + m * n
        if len(out) > self.limit:
            raise TooMany
        return out


Uses = frozenset[tuple[tuple[str, Any], int]]
NO_USES: Uses = frozenset()


class Fold(Generic[T]):
    """Folds a graph of steps in an algebra.

    ``emit`` gives the cost of an operation, ``option`` that of deciding for a value; both give
    tuples of one length, ``width``. ``apart``: each use of a cell is decided by itself, which gives
    bounds where the exact value would take too long.

    Raises :class:`TooMany` where cells are used inside cells in too many different ways.
    """

    def __init__(
        self,
        algebra: Algebra[T],
        width: int,
        emit: Callable[[Emit], Cost],
        option: Callable[[Branch, Any], Cost] | None = None,
        apart: bool = False,
    ):
        self.algebra = algebra
        self.apart = apart
        self.zero: Cost = (0,) * width
        self.emit = emit
        self.option = option
        self._memo: dict[int, dict[tuple[Key, Uses], T]] = {}
        self._joints: dict[Any, dict[tuple[Key, Uses], T]] = {}

    def whole(self, step: Step) -> T:
        """The value of a whole space."""
        if isinstance(step, Branch):
            total: T | None = None
            for value, inner in step.options.items():
                found = self.whole(inner)
                if self.option is not None:
                    found = self.algebra.both(self.algebra.one(self.option(step, value)), found)
                total = found if total is None else self.algebra.either(total, found)
            assert total is not None
            return total
        if isinstance(step, Whole):
            return self._whole(step)
        assert isinstance(step, Scope | On | Copy | Owned)
        return self.whole(step.step)

    def _whole(self, step: Whole) -> T:
        ways = self.fold(step.body)
        cells = [] if self.apart else _outermost_first((*step.first, *step.last))
        for cell in cells:
            after: dict[tuple[Key, Uses], T] = {}
            for (key, used), value in ways.items():
                if not cell.applies(key[1]):
                    self._add(after, (key, used), value)
                    continue
                for more, found in self._cell(cell, key, used).items():
                    self._add(after, (key, _added(used, more)), self.algebra.both(value, found))
            ways = self._few(step.body, after)
        total: T | None = None
        for value in ways.values():
            total = value if total is None else self.algebra.either(total, value)
        assert total is not None
        return total

    def _add(self, out: dict[Any, T], at: Any, value: T) -> None:
        out[at] = self.algebra.either(out[at], value) if at in out else value

    def _few(self, step: Step, out: dict[Any, T]) -> dict[Any, T]:
        if len(out) > max(WAYS, 4 * len(step.outcomes)):
            raise TooMany
        return out

    def _cell(self, cell: CellDecisions, key: Key, used: Uses) -> dict[Uses, T]:
        """The value of a cell's decisions, by the uses of further cells inside."""
        times = {sig: n for (name, sig), n in used if name == cell.name}
        weights = tuple(times.get(sig, 0) for sig in cell.signatures)
        known = (id(cell.joint), weights)
        joint = self._joints.get(known)
        if joint is None:
            memo: dict[int, dict[tuple[Key, Uses], T]] = {}
            for step in bottom_up(cell.joint, _deciding):
                memo[id(step)] = self._few(step, self._joined(step, weights, memo))
            joint = self._joints[known] = memo[id(cell.joint)]
        out: dict[Uses, T] = {}
        for (outcome, more), value in joint.items():
            if cell.agrees(outcome, key[1]):
                self._add(out, more, value)
        return out

    # ---- steps

    def fold(self, step: Step) -> dict[tuple[Key, Uses], T]:
        """The value for each outcome and each number of uses of cells."""
        if id(step) not in self._memo:
            for inner in bottom_up(step, below if self.apart else _walked):
                if id(inner) not in self._memo:
                    self._memo[id(inner)] = self._few(inner, self._fold(inner))
        return self._memo[id(step)]

    def _fold(self, step: Step) -> dict[tuple[Key, Uses], T]:
        if isinstance(step, Emit):
            return {(step.key, NO_USES): self.algebra.one(self.emit(step))}
        if isinstance(step, On | Scope | Copy | Owned):
            return self.fold(step.step)
        if isinstance(step, Lift):
            return {(step.lifted(k), u): v for (k, u), v in self.fold(step.step).items()}
        if isinstance(step, UseCell) and self.apart:
            free: dict[tuple[Key, Uses], T] = {}
            for (key, _), value in self.fold(step.body).items():
                if key in step.keys:
                    self._add(free, (step.keys[key], NO_USES), value)
            return free
        if isinstance(step, UseCell):
            once: Uses = frozenset({((step.cell, step.signature), 1)})
            return {(k, once): self.algebra.one(self.zero) for k in step.outcomes}
        out: dict[tuple[Key, Uses], T] = {}
        if isinstance(step, Branch):
            for value, option in step.options.items():
                for at, found in self.fold(option).items():
                    if self.option is not None:
                        one = self.algebra.one(self.option(step, value))
                        found = self.algebra.both(one, found)
                    self._add(out, at, found)
            return out
        if isinstance(step, Then):
            for (key, used), before in self.fold(step.first).items():
                for (end, more), after in self.fold(step.rest[key]).items():
                    at = (end, _added(used, more))
                    self._add(out, at, self.algebra.both(before, after))
            return out
        return {(k, NO_USES): self.algebra.one(self.zero) for k in step.outcomes}

    # ---- cells

    def _joined(
        self, step: Step, weights: tuple[int, ...], memo: dict[int, dict[tuple[Key, Uses], T]]
    ) -> dict[tuple[Key, Uses], T]:
        out: dict[tuple[Key, Uses], T] = {}
        if isinstance(step, Joint):
            for outcome in step.outcomes:
                cost, inside = list(self.zero), NO_USES
                for part, key, times in zip(step.parts, outcome, weights, strict=True):
                    spent, used = self.fixed(part, key)
                    for i, c in enumerate(spent):
                        cost[i] += c * times
                    inside = _added(inside, frozenset({(u, n * times) for u, n in used if times}))
                out[outcome, inside] = self.algebra.one(tuple(cost))
            return out
        if isinstance(step, On | Scope | Copy | Owned):
            return memo[id(step.step)]
        if isinstance(step, Lift):
            return {(step.lifted(k), u): v for (k, u), v in memo[id(step.step)].items()}
        if isinstance(step, Branch):
            for value, option in step.options.items():
                for at, found in memo[id(option)].items():
                    if self.option is not None:
                        one = self.algebra.one(self.option(step, value))
                        found = self.algebra.both(one, found)
                    self._add(out, at, found)
            return out
        assert isinstance(step, Then)
        for (key, used), before in memo[id(step.first)].items():
            for (end, more), after in memo[id(step.rest[key])].items():
                self._add(out, (end, _added(used, more)), self.algebra.both(before, after))
        return out

    def fixed(self, step: Step, key: Key) -> tuple[Cost, Uses]:
        """The cost of a step in which nothing is decided and whose outcome is known.

        With it the uses of cells inside, whose cost is not in it.
        """
        cost, used = self.zero, NO_USES
        while True:
            if isinstance(step, On | Scope | Copy | Owned):
                step = step.step
            elif isinstance(step, Lift):
                lifted = step
                key = next(k for k in lifted.step.outcomes if lifted.lifted(k) == key)
                step = lifted.step
            elif isinstance(step, Then):
                ahead = step
                inner = next(k for k in ahead.first.outcomes if key in ahead.rest[k].outcomes)
                first, inside = self.fixed(ahead.first, inner)
                cost = tuple([a + b for a, b in zip(cost, first, strict=True)])
                used = _added(used, inside)
                step = ahead.rest[inner]
            elif isinstance(step, Emit):
                return tuple([a + b for a, b in zip(cost, self.emit(step), strict=True)]), used
            elif isinstance(step, UseCell):
                return cost, _added(used, frozenset({((step.cell, step.signature), 1)}))
            else:
                return cost, used


def _walked(step: Step) -> list[Step]:
    """The steps inside one, those of cells apart."""
    return [] if isinstance(step, UseCell) else below(step)


def _deciding(step: Step) -> list[Step]:
    """The steps inside one in which something is decided."""
    return [] if isinstance(step, Joint) else below(step)


def _outermost_first(cells: Sequence[CellDecisions]) -> list[CellDecisions]:
    """Cells before those that they use."""
    inside = {
        id(cell): {step.cell for step in steps(cell.joint) if isinstance(step, UseCell)}
        for cell in cells
    }
    order: list[CellDecisions] = []
    left = list(cells)
    while left:
        ready = [c for c in left if not any(c.name in inside[id(o)] for o in left if o is not c)]
        order += ready
        left = [c for c in left if c not in ready]
    return order


def _added(a: Uses, b: Uses) -> Uses:
    if not b:
        return a
    if not a:
        return b
    counter: Counter[tuple[str, Any]] = Counter()
    for part in (a, b):
        for use, times in part:
            counter[use] += times
    return frozenset(counter.items())


def is_additive(root: Step, inputs: int = 1) -> bool:
    """Whether live costs are sums of what is written: no zeros, and nothing ever dropped.

    ``inputs``: how many the network has.
    """
    if any(isinstance(step, Emit) and step.op in ("zero", "first") for step in steps(root)):
        return False
    return all(_all_read(step.body, inputs) for step in steps(root) if isinstance(step, Whole))


def _all_read(body: Step, inputs: int) -> bool:
    """Whether every tensor that is worked out is read later, whatever is decided.

    Followed are the places of a step's frame that it reads in every architecture, for each
    step and the number of tensors in its frame.
    """
    always: dict[tuple[int, int], frozenset[int]] = {}
    todo: list[tuple[Step, int, bool]] = [(body, inputs, False)]
    while todo:
        step, frame, ready = todo.pop()
        at = (id(step), frame)
        if at in always:
            continue
        parts = _framed(step, frame)
        if not ready:
            todo.append((step, frame, True))
            todo += [(part, n, False) for part, n in parts if (id(part), n) not in always]
            continue
        found = [always[id(part), n] for part, n in parts]
        if isinstance(step, Ret):
            always[at] = frozenset({step.index})
        elif isinstance(step, Emit):
            always[at] = frozenset(step.inputs)
        elif isinstance(step, On):
            always[at] = frozenset(step.indices[i] for i in found[0])
        elif isinstance(step, Then):
            rest = found[1].intersection(*found[2:])
            if (frame if step.keep else 0) not in rest:
                return False
            always[at] = found[0] | ({i for i in rest if i < frame} if step.keep else frozenset())
        else:
            always[at] = found[0].intersection(*found[1:]) if found else frozenset()
    return True


def _framed(step: Step, frame: int) -> list[tuple[Step, int]]:
    """The steps inside one, each with the number of tensors in its frame."""
    if isinstance(step, On):
        return [(step.step, len(step.indices))]
    if isinstance(step, Then):
        after = frame + 1 if step.keep else 1
        return [(step.first, frame), *((r, after) for r in step.rest.values())]
    return [(part, frame) for part in below(step)]


def sizes(step: Emit) -> Cost:
    """Parameters and multiply-accumulates of an operation."""
    return step.cost.params, step.cost.macs


def counts(mapping: Mapping[Cost, int]) -> int:
    """How many ways a distribution holds."""
    return sum(mapping.values())
