"""The least and the greatest size over a whole space, certified where sizes are not additive.

Sizes of live networks are no sums where zeros or unread results can occur. The greatest size of
everything written still bounds them from above; from below they are bounded by what no decision
can keep from being live. Either bound is exact where an architecture is found that attains it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.live import IDENTITY, ZERO
from nasdsl.operations.operation import Operation
from nasdsl.space.building import Recorder
from nasdsl.space.costs import Cost, Extremes, Fold, TooMany, sizes
from nasdsl.space.quantities import Terms, meter, node
from nasdsl.space.ranks import Missing
from nasdsl.space.residual import (
    Branch,
    Copy,
    Emit,
    Lift,
    On,
    Owned,
    Ret,
    Scope,
    Step,
    Then,
    UseCell,
    Whole,
)
from nasdsl.space.walk import run

if TYPE_CHECKING:
    from nasdsl.space.architecture import Architecture
    from nasdsl.space.space import Space

ENUMERATED = 2_000
"""Spaces of up to so many architectures are enumerated where nothing shorter is exact."""


@dataclass(frozen=True)
class Bounds:
    """The least and greatest of a quantity over the declared space.

    ``exact`` where both are attained; ``low_exact`` and ``high_exact`` say it of each.
    """

    low: int
    high: int
    low_exact: bool = True
    high_exact: bool = True

    @property
    def exact(self) -> bool:
        """Whether architectures attain both."""
        return self.low_exact and self.high_exact

    def to_json(self) -> dict[str, Any]:
        """As ``info --json`` prints it: ``exact`` stands only where it is false."""
        found: dict[str, Any] = {"min": self.low, "max": self.high}
        if not self.exact:
            found["exact"] = False
        return found


class Sizes(NamedTuple):
    """The bounds of what is known of a live network as a sum."""

    params: Bounds
    macs: Bounds
    nodes: Bounds


def size_bounds(space: Space) -> Sizes:
    """Parameters, multiply-accumulates and operations over the declared space, ``require`` aside.

    Exact where they are additive and in small spaces; else certified bounds, each exact where
    an architecture that attains it is found.
    """
    if space.additive:
        ends, exact = extremes(space, 3, lambda e: (*sizes(e), node(e)))
        return Sizes(*[Bounds(*each, exact, exact) for each in zip(*ends, strict=True)])
    if space.size <= ENUMERATED:
        found = [_sizes(a) for a in space]
        return Sizes(*[Bounds(min(of), max(of)) for of in zip(*found, strict=True)])
    fold = Fold(Extremes(), 3, lambda e: (*sizes(e), 1))
    try:
        _, high = fold.whole(space.step)
    except TooMany:
        fold = Fold(Extremes(), 3, lambda e: (*sizes(e), 1), apart=True)
        _, high = fold.whole(space.step)
    least = _Least(space.operations)
    low = least.of(space.step, (False,) * len(space.inputs)).cost
    bounds = []
    for which in range(3):
        small = _attained(space, _Small(least, which))
        large = _attained(space, _Large(fold, least, which))
        bounds.append(
            Bounds(
                low[which],
                high[which],
                small is not None and _sizes(small)[which] == low[which],
                large is not None and _sizes(large)[which] == high[which],
            )
        )
    return Sizes(*bounds)


def extremes(
    space: Space,
    width: int,
    emit: Callable[[Emit], Cost],
    option: Callable[[Branch, Any], Cost] | None = None,
) -> tuple[tuple[Cost, Cost], bool]:
    """The least and the greatest of sums, and whether they are attained for certain.

    Bounds, where cells are used inside cells in too many ways to follow them all.
    """
    try:
        return Fold(Extremes(), width, emit, option).whole(space.step), True
    except TooMany:
        return Fold(Extremes(), width, emit, option, apart=True).whole(space.step), False


def term_bounds(space: Space, terms: Terms) -> Bounds | None:
    """The least and greatest of a sum that a condition measures; none where it is not known."""
    how = meter(space, terms)
    if how is not None:
        option = how.option
        (low, high), exact = extremes(
            space,
            1,
            lambda step: (how.emit(step),),
            None if option is None else lambda branch, value: (option(branch, value),),
        )
        return Bounds(low[0], high[0], exact, exact)
    (quantity, factor), *others = terms
    if others or factor != 1 or quantity.name not in Sizes._fields:
        return None
    return space.sizes[Sizes._fields.index(quantity.name)]


def _sizes(architecture: Architecture) -> Cost:
    network = architecture.network
    return network.params, network.macs, len(network.nodes) - len(network.inputs)


# ---- what cannot be avoided


class _Sure(NamedTuple):
    """What holds of a step in every architecture, provided that its result is used.

    ``zero``: some architecture may make it zero. ``cost``: the least of its live operations,
    nothing where it may be zero. ``needs``: the tensors of its frame that it always uses.
    """

    zero: bool
    cost: Cost
    needs: frozenset[int]


_FREE = (0, 0, 0)
Mask = tuple[bool, ...]


class _Least:
    """Works out what is sure of steps, given which tensors of their frame may be zero.

    Decisions are taken apart for each use of a cell and each tensor, as no architecture may be
    able to; so the cost bounds those of all architectures from below.
    """

    def __init__(self, operations: Mapping[str, Operation]):
        self._operations = operations
        self._known: dict[tuple[int, Mask], _Sure] = {}
        self.seen: dict[int, _Sure] = {}
        """By step, the least of what was found for any frame."""

    def of(self, root: Step, mask: Mask) -> _Sure:
        """What is sure of a step. Without recursion: long chains nest deeper than Python goes."""
        stack = [(root, mask)]
        while stack:
            step, zeros = stack[-1]
            if (id(step), zeros) in self._known:
                stack.pop()
                continue
            wanted: list[tuple[Step, Mask]] = []
            found = self._found(step, zeros, wanted)
            if found is None:
                stack += wanted
                continue
            stack.pop()
            if found.zero:
                found = found._replace(cost=_FREE)
            self._known[id(step), zeros] = found
            before = self.seen.get(id(step))
            self.seen[id(step)] = found if before is None else _either([before, found])
        return self._known[id(root), mask]

    def _found(self, step: Step, mask: Mask, wanted: list[tuple[Step, Mask]]) -> _Sure | None:
        """What is sure of a step, or none, with what has to be found first added to ``wanted``."""

        def get(inner: Step, zeros: Mask) -> _Sure | None:
            known = self._known.get((id(inner), zeros))
            if known is None:
                wanted.append((inner, zeros))
            return known

        if isinstance(step, Emit):
            return self._emitted(step, mask)
        if isinstance(step, Ret):
            return _Sure(mask[step.index], _FREE, frozenset({step.index}))
        if isinstance(step, On):
            inner = get(step.step, tuple([mask[i] for i in step.indices]))
            if inner is None:
                return None
            return inner._replace(needs=frozenset(step.indices[i] for i in inner.needs))
        if isinstance(step, Scope | Copy | Owned | Lift):
            return get(step.step, mask)
        if isinstance(step, UseCell | Whole):
            return get(step.body, mask)
        if isinstance(step, Branch):
            options = [get(option, mask) for option in step.options.values()]
            return None if wanted else _either([o for o in options if o is not None])
        if isinstance(step, Then):
            first = get(step.first, mask)
            if first is None:
                return None
            after = (*mask, first.zero) if step.keep else (first.zero,)
            place = len(mask) if step.keep else 0
            ends = [get(rest, after) for rest in step.rest.values()]
            if wanted:
                return None
            rest = _either([end for end in ends if end is not None])
            needs = frozenset(i for i in rest.needs if i != place) if step.keep else frozenset()
            if place not in rest.needs:
                return _Sure(rest.zero, rest.cost, needs)
            cost = [a + b for a, b in zip(rest.cost, first.cost, strict=True)]
            return _Sure(rest.zero, tuple(cost), needs | first.needs)
        return _Sure(False, _FREE, frozenset())

    def _emitted(self, step: Emit, mask: Mask) -> _Sure:
        zeros = [mask[i] for i in step.inputs]
        if step.op == ZERO:
            return _Sure(True, _FREE, frozenset())
        if step.op in (IDENTITY, "first"):
            return _Sure(zeros[0], _FREE, frozenset(step.inputs[:1]))
        if step.op == "mul":
            # Where another factor is zero, this one is not looked at.
            needs = [i for at, i in enumerate(step.inputs) if not any(zeros[:at] + zeros[at + 1 :])]
            return _Sure(any(zeros), (*sizes(step), node(step)), frozenset(needs))
        keeps = step.op == "add" or self._operations[step.op].zero(step.settings)
        cost: Cost = (*sizes(step), node(step))
        if not node(step) or (step.op == "add" and zeros.count(False) < 2):
            cost = _FREE  # One tensor alone is not combined with anything.
        return _Sure(keeps and all(zeros), cost, frozenset(step.inputs))


def _either(found: list[_Sure]) -> _Sure:
    """What is sure where any of several may be."""
    return _Sure(
        any(f.zero for f in found),
        tuple([min(of) for of in zip(*[f.cost for f in found], strict=True)]),
        found[0].needs.intersection(*[f.needs for f in found[1:]]),
    )


# ---- architectures that attain a bound


class _Small:
    """Prefers options with little that is sure."""

    def __init__(self, least: _Least, which: int):
        self._least = least
        self._which = which

    def score(self, value: Any, option: Step) -> Any:
        """The less the better; of sets of tensors rather the small ones."""
        found = self._least.seen.get(id(option))
        if found is None:
            return 0, 0, 0, _extent(value)
        return found.cost[self._which], not found.zero, len(found.needs), _extent(value)


class _Large:
    """Prefers options that cost much, and that keep much live."""

    def __init__(self, fold: Fold[Any], least: _Least, which: int):
        self._fold = fold
        self._least = least
        self._which = which

    def score(self, value: Any, option: Step) -> Any:
        """The less the better; of sets of tensors rather the large ones."""
        found = self._least.seen.get(id(option))
        if isinstance(innermost(option), Whole):
            cost = self._fold.whole(option)[1][self._which]
        else:
            values = self._fold.fold(option).values()
            cost = max((high[self._which] for _, high in values), default=0)
        if found is None:
            return -cost, 0, 0, -_extent(value)
        return -cost, found.zero, -len(found.needs), -_extent(value)


def _extent(value: Any) -> int:
    return len(value) if isinstance(value, tuple) else 0


class _Chooser(Recorder):
    """Decides for the option with the best score wherever something is decided."""

    def __init__(self, policy: _Small | _Large):
        super().__init__({})
        self._policy = policy

    def decide(self, name: str, branch: Branch) -> Any:
        """The first of the best values, or what was decided before."""
        if name not in self.decided:
            scores = {v: self._policy.score(v, option) for v, option in branch.options.items()}
            self.decided[name] = min(scores, key=scores.__getitem__)
        value = self.decided[name]
        if value not in branch.options:
            raise Missing(name, tuple(branch.options), value)
        return value


def innermost(step: Step) -> Step:
    """A step without what only names and orders it."""
    while isinstance(step, On | Scope | Copy | Owned):
        step = step.step
    return step


def _attained(space: Space, policy: _Small | _Large) -> Architecture | None:
    chooser = _Chooser(policy)
    try:
        run(space.step, tuple(map(str, range(len(space.inputs)))), chooser)
        return space.architecture(chooser.decided)
    except (Missing, DiagnosticError):
        return None
