"""Sums over architectures without visiting them: extremes and distributions of additive costs.

A cost is additive where it is a sum over the operations and decisions of an architecture. Costs
of a live network are, where neither zeros nor unused parts can occur (:func:`is_additive`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
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
    Scope,
    Step,
    Then,
    UseCell,
    Whole,
    steps,
    uses,
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
    """A distribution has more different costs than are kept."""


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
    tuples of one length, ``width``.
    """

    def __init__(
        self,
        algebra: Algebra[T],
        width: int,
        emit: Callable[[Emit], Cost],
        option: Callable[[Branch, Any], Cost] | None = None,
    ):
        self.algebra = algebra
        self.zero: Cost = (0,) * width
        self.emit = emit
        self.option = option
        self._memo: dict[int, dict[tuple[Key, Uses], T]] = {}

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
        total: T | None = None
        for (key, times), value in self.fold(step.body).items():
            for cell in (*step.first, *step.last):
                if not uses(key[1], cell.name):
                    continue
                found = self._cell(cell, key, times)
                value = self.algebra.both(value, found)
            total = value if total is None else self.algebra.either(total, value)
        assert total is not None
        return total

    def _cell(self, cell: CellDecisions, key: Key, used: Uses) -> T:
        times = {sig: n for (name, sig), n in used if name == cell.name}
        weights = tuple(times.get(sig, 0) for sig in cell.signatures)
        joint = self._joint(cell.joint, weights, {})
        total: T | None = None
        for outcome, value in joint.items():
            if cell.agrees(outcome, key[1]):
                total = value if total is None else self.algebra.either(total, value)
        assert total is not None
        return total

    # ---- steps

    def fold(self, step: Step) -> dict[tuple[Key, Uses], T]:
        """The value for each outcome and each number of uses of cells."""
        found = self._memo.get(id(step))
        if found is None:
            found = self._fold(step)
            self._memo[id(step)] = found
        return found

    def _fold(self, step: Step) -> dict[tuple[Key, Uses], T]:
        if isinstance(step, Emit):
            return {(step.key, NO_USES): self.algebra.one(self.emit(step))}
        if isinstance(step, On | Scope | Copy | Owned):
            return self.fold(step.step)
        if isinstance(step, Lift):
            return {(step.lifted(k), u): v for (k, u), v in self.fold(step.step).items()}
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
                    out[at] = self.algebra.either(out[at], found) if at in out else found
            return out
        if isinstance(step, Then):
            for (key, used), before in self.fold(step.first).items():
                for (end, more), after in self.fold(step.rest[key]).items():
                    at = (end, _added(used, more))
                    found = self.algebra.both(before, after)
                    out[at] = self.algebra.either(out[at], found) if at in out else found
            return out
        return {(k, NO_USES): self.algebra.one(self.zero) for k in step.outcomes}

    # ---- cells

    def _joint(
        self, step: Step, weights: tuple[int, ...], memo: dict[int, dict[Key, T]]
    ) -> dict[Key, T]:
        found = memo.get(id(step))
        if found is None:
            found = self._joined(step, weights, memo)
            memo[id(step)] = found
        return found

    def _joined(
        self, step: Step, weights: tuple[int, ...], memo: dict[int, dict[Key, T]]
    ) -> dict[Key, T]:
        out: dict[Key, T] = {}
        if isinstance(step, Joint):
            for outcome in step.outcomes:
                cost = list(self.zero)
                for part, key, times in zip(step.parts, outcome, weights, strict=True):
                    for i, c in enumerate(self.fixed(part, key)):
                        cost[i] += c * times
                out[outcome] = self.algebra.one(tuple(cost))
            return out
        if isinstance(step, On | Scope | Copy | Owned):
            return self._joint(step.step, weights, memo)
        if isinstance(step, Lift):
            return {step.lifted(k): v for k, v in self._joint(step.step, weights, memo).items()}
        if isinstance(step, Branch):
            for value, option in step.options.items():
                for key, found in self._joint(option, weights, memo).items():
                    if self.option is not None:
                        one = self.algebra.one(self.option(step, value))
                        found = self.algebra.both(one, found)
                    out[key] = self.algebra.either(out[key], found) if key in out else found
            return out
        assert isinstance(step, Then)
        for key, before in self._joint(step.first, weights, memo).items():
            for end, after in self._joint(step.rest[key], weights, memo).items():
                found = self.algebra.both(before, after)
                out[end] = self.algebra.either(out[end], found) if end in out else found
        return out

    def fixed(self, step: Step, key: Key) -> Cost:
        """The cost of a step in which nothing is decided and whose outcome is known."""
        if isinstance(step, Emit):
            return self.emit(step)
        if isinstance(step, On | Scope | Copy | Owned):
            return self.fixed(step.step, key)
        if isinstance(step, Lift):
            return self.fixed(
                step.step, next(k for k in step.step.outcomes if step.lifted(k) == key)
            )
        if isinstance(step, Then):
            for inner in step.first.outcomes:
                if key in step.rest[inner].outcomes:
                    first = self.fixed(step.first, inner)
                    rest = self.fixed(step.rest[inner], key)
                    return tuple([a + b for a, b in zip(first, rest, strict=True)])
        return self.zero


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


def is_additive(root: Step, unused: bool = False) -> bool:
    """Whether live costs are sums of what is written: no zeros, nothing dropped."""
    if unused:
        return False
    return not any(isinstance(step, Emit) and step.op in ("zero", "first") for step in steps(root))


def sizes(step: Emit) -> Cost:
    """Parameters and multiply-accumulates of an operation."""
    return step.cost.params, step.cost.macs


def counts(mapping: Mapping[Cost, int]) -> int:
    """How many ways a distribution holds."""
    return sum(mapping.values())
