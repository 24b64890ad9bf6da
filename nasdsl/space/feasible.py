"""How many architectures meet the constraints, and the extremes of their costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import DiagnosticError
from nasdsl.language import syntax as s
from nasdsl.space.bounds import ENUMERATED
from nasdsl.space.budget import COUNTING, Budget, Unsupported
from nasdsl.space.constraints import COSTS, STRUCTURE
from nasdsl.space.costs import Distribution, Fold, TooMany, is_additive, sizes
from nasdsl.space.values import EvaluationError, number

if TYPE_CHECKING:
    from nasdsl.space.space import Space

DECIDED, WRITTEN = 6_000, 30_000
"""The same under conditions on decisions alone; where ranks are numbers of fixed digits."""

DISTINCT = 5_000
"""Up to so many different costs are counted one by one."""


@dataclass(frozen=True)
class Test:
    """A condition on parameters (0) or multiply-accumulates (1): bounds, both included."""

    which: int
    low: float | None
    high: float | None

    def holds(self, cost: int) -> bool:
        """Whether a cost meets the condition."""
        return (self.low is None or cost >= self.low) and (self.high is None or cost <= self.high)


@dataclass(frozen=True)
class Feasible:
    """The number of architectures under ``require``, or why it is not known.

    ``least`` and ``most`` bound it where it is not known exactly.
    """

    count: int | None
    reason: str = ""
    least: int = 0
    most: int | None = None


def feasible(space: Space) -> Feasible:
    """Count the architectures that meet every condition.

    Exact by a dynamic program where all conditions compare parameters or multiply-accumulates
    with numbers and costs are additive, by enumeration in small spaces, else unknown.
    """
    if not space.program.requires:
        return Feasible(space.size)
    bounds = (0, space.size)
    tests = simple_tests(space)
    if tests is not None and is_additive(space.step, len(space.inputs)):
        used = sorted({test.which for test in tests})
        fold = Fold(Distribution(DISTINCT), len(used), lambda e: tuple([sizes(e)[i] for i in used]))
        try:
            distribution = fold.whole(space.step)
        except TooMany:
            bounds = _bounded(space, tests)
        else:
            place = {which: i for i, which in enumerate(used)}
            met = sum(
                ways
                for cost, ways in distribution.items()
                if all(test.holds(cost[place[test.which]]) for test in tests)
            )
            return Feasible(met, "", met, met)
    most = _visited(space)
    if space.size <= most:
        try:
            met = sum(1 for a in space if space.allows(a))
            return Feasible(met, "", met, met)
        except DiagnosticError:
            return Feasible(None, "a condition cannot be worked out", 0, space.size)
    reason = f"more than {most:,} architectures would have to be built"
    if tests is not None and is_additive(space.step, len(space.inputs)):
        reason = f"there are more than {DISTINCT:,} different costs"
    return Feasible(None, reason, *bounds)


def _visited(space: Space) -> int:
    """Up to how many architectures are tried one by one."""
    built = {*COSTS, *STRUCTURE}
    if any(space.program.deep(r.condition) & built for r in space.program.requires):
        return ENUMERATED
    # Conditions on decisions alone need no network.
    return DECIDED if space.flat is None else WRITTEN


def _bounded(space: Space, tests: list[Test]) -> tuple[int, int]:
    """Certified bounds of the count, condition by condition."""
    least, most = space.size, space.size
    for test in tests:
        try:
            low, high = _within(space, test)
        except Unsupported:
            continue
        # Conditions are joined by inclusion and exclusion: at least this many meet both.
        least = max(0, least + low - space.size)
        most = min(most, high)
    return least, most


def _within(space: Space, test: Test) -> tuple[int, int]:
    """Bounds of how many architectures meet one condition."""
    least, most = space.size, space.size
    if test.high is not None:
        least, most = _up_to(space, test.which, math.floor(test.high))
    if test.low is not None:
        below = _up_to(space, test.which, math.ceil(test.low) - 1)
        least, most = max(0, least - below[1]), max(0, most - below[0])
    return least, most


def _up_to(space: Space, which: int, limit: int) -> tuple[int, int]:
    return (
        Budget(space.step, which, limit, COUNTING, True, len(space.inputs)).total,
        Budget(space.step, which, limit, COUNTING, False, len(space.inputs)).total,
    )


def simple_tests(space: Space) -> list[Test] | None:
    """Conditions that compare ``params`` or ``macs`` with numbers; none if there are others."""
    tests: list[Test] = []
    for require in space.program.requires:
        found = _simple(require.condition, space)
        if found is None:
            return None
        tests += found
    return tests


def _simple(condition: s.Expr, space: Space) -> list[Test] | None:
    while isinstance(condition, s.Group):
        condition = condition.inner
    if isinstance(condition, s.Binary) and condition.operator == "and":
        left, right = _simple(condition.left, space), _simple(condition.right, space)
        return None if left is None or right is None else left + right
    if not isinstance(condition, s.Compare) or len(condition.operators) != 1:
        return None
    a, b = condition.operands
    operator = condition.operators[0]
    if not isinstance(a, s.Ref):
        mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
        if operator not in mirrored:
            return None
        a, b, operator = b, a, mirrored[operator]
    names = ("params", "macs")
    if not isinstance(a, s.Ref) or a.name not in names or a.name in space.program.lets:
        return None
    which = names.index(a.name)
    try:
        if operator == "in" and isinstance(b, s.Range) and b.step is None:
            low = number(_constant(b.low, space), b.low.span)
            high = number(_constant(b.high, space), b.high.span)
            return [Test(which, low, high)]
        bound = number(_constant(b, space), b.span)
    except EvaluationError:
        return None
    # Costs are whole numbers, so a strict bound is the next whole one.
    ranges: dict[str, tuple[float | None, float | None]] = {
        "<": (None, math.ceil(bound) - 1),
        "<=": (None, bound),
        ">": (math.floor(bound) + 1, None),
        ">=": (bound, None),
        "==": (bound, bound),
    }
    return [Test(which, *ranges[operator])] if operator in ranges else None


def _constant(expr: s.Expr, space: Space) -> Any:
    from nasdsl.space.values import Scope

    return space.constraints.value(expr, Scope())
