"""How architectures spread over what conditions read of them, without visiting any.

Conditions read sums, which are folded, or values chosen for the whole space, of which each
combination is a case of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nasdsl.language import syntax as s
from nasdsl.space.architecture import Architecture
from nasdsl.space.costs import Cost, Distribution, Fold, TooMany
from nasdsl.space.quantities import Meter, Window, meter, windows
from nasdsl.space.residual import Branch, Emit, steps
from nasdsl.space.resolve import QUANTITIES
from nasdsl.space.shortfall import MET, Conditions, Gap, windowed
from nasdsl.space.values import EvaluationError, Scope, subscript

if TYPE_CHECKING:
    from nasdsl.space.space import Space

FEW = 5_000
"""Up to so many cases are looked at while a text is checked, and told apart by sums."""
MANY = 50_000
"""Up to so many combinations of values are looked at to count."""


def combined(
    space: Space, requires: Sequence[s.Require], most: int
) -> list[tuple[list[Gap], int]] | None:
    """How far architectures are from each condition, and how many are so far.

    One list for each case, in the order of :class:`Conditions`; none where a condition is on
    something else, or where there are more cases than ``most``.
    """
    conditions = Conditions(space, requires)
    sums: list[tuple[Window, Meter]] = []
    read: list[list[int]] = []
    values: set[str] = set()
    for part in conditions.parts:
        found = windows(space, part)
        read.append([])
        if found is None:
            names = chosen(space, part)
            if names is None:
                return None
            values |= names
        for window in found or ():
            how = meter(space, window.terms)
            if how is None:
                return None
            read[-1].append(len(sums))
            sums.append((window, how))
    named = {name: _Values(name) for name in sorted(values)}
    meters = [how for _, how in sums] + [Meter(_nothing, value.option) for value in named.values()]
    try:
        spread = distribution(space, meters, most)
    except TooMany:
        return None
    cases = []
    for case, ways in spread.items():
        decided = {
            name: value.known[at - 1]
            for (name, value), at in zip(named.items(), case[len(sums) :], strict=True)
            if at
        }
        architecture = Architecture(space, decided)
        gaps = []
        for part, sums_of in zip(conditions.parts, read, strict=True):
            if sums_of:
                missed = [windowed(sums[i][0], case[i]) for i in sums_of]
                gaps.append(next((gap for gap in missed if gap.distance), MET))
                continue
            try:
                gaps.append(conditions.gap(part, architecture))
            except EvaluationError:
                return None  # it is told where an architecture is held against the condition
        cases.append((gaps, ways))
    return cases


def distribution(space: Space, meters: Sequence[Meter], most: int) -> dict[Cost, int]:
    """How many architectures there are for each combination of sums.

    Raises :class:`~nasdsl.space.costs.TooMany` where there are more combinations than ``most``.
    """

    def emit(step: Emit) -> Cost:
        return tuple([m.emit(step) for m in meters])

    def option(branch: Branch, value: Any) -> Cost:
        return tuple([m.option(branch, value) if m.option else 0 for m in meters])

    deciding = any(m.option for m in meters)
    fold = Fold(Distribution(most), len(meters), emit, option if deciding else None)
    return fold.whole(space.step)


def chosen(space: Space, condition: s.Expr) -> set[str] | None:
    """The decisions for the whole space that a condition reads; none where it reads other things."""
    program = space.program
    names = program.deep(condition)
    if names & {*QUANTITIES}:
        return None
    bindings = [let.binding for let in program.lets.values()]
    if program.network is not None:
        bindings += program.network.where
    ours = {b.name.text for b in bindings if b.decides and b.name.text in names}
    elsewhere = {
        part.name.text
        for template in program.templates.values()
        for part in template.walk()
        if isinstance(part, s.Binding)
    }
    if ours & elsewhere:
        return None  # a step does not tell whose value it decides
    single, whole = _members(space, condition, ours)
    return {
        step.name
        for step in steps(space.step)
        if isinstance(step, Branch)
        and (step.name in single or step.name.partition("[")[0] in whole)
    }


def _members(space: Space, condition: s.Expr, ours: set[str]) -> tuple[set[str], set[str]]:
    """The members of families that a condition reads by an index, as ``w[2]``, and names read whole."""
    single: set[str] = set()
    indexed: set[int] = set()
    for part in condition.walk():
        if isinstance(part, s.Item) and isinstance(part.base, s.Ref) and part.base.name in ours:
            try:
                index = subscript(space.constraints.value(part.index, Scope()))
            except EvaluationError:
                continue
            single.add(f"{part.base.name}[{index}]")
            indexed.add(id(part.base))
    read = {
        part.name
        for part in condition.walk()
        if isinstance(part, s.Ref) and id(part) not in indexed
    }
    # What is read through other names may be read whole.
    through = space.program.deep(condition) - {
        part.name for part in condition.walk() if isinstance(part, s.Ref)
    }
    return single, (read | through) & ours


def _nothing(step: Emit) -> int:
    return 0


class _Values:
    """Numbers the values of one decision from 1, as they come up."""

    def __init__(self, name: str):
        self._name = name
        self.known: list[Any] = []

    def option(self, branch: Branch, value: Any) -> int:
        """The number of the value, where the decision is this one."""
        if branch.name != self._name:
            return 0
        if value not in self.known:
            self.known.append(value)
        return self.known.index(value) + 1
