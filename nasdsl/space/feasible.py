"""How many architectures meet the constraints, and the extremes of their costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import DiagnosticError
from nasdsl.language import syntax as s
from nasdsl.space.costs import Distribution, Extremes, Fold, TooMany, is_additive, sizes
from nasdsl.space.values import EvaluationError, number

if TYPE_CHECKING:
    from nasdsl.space.space import Space

ENUMERATED = 2_000
"""Spaces of up to so many architectures are enumerated where nothing shorter is exact."""

Test = Callable[[int], bool]


@dataclass(frozen=True)
class Feasible:
    """The number of architectures under ``require``, or why it is not known."""

    count: int | None
    reason: str = ""


def feasible(space: Space) -> Feasible:
    """Count the architectures that meet every condition.

    Exact by a dynamic program where all conditions compare parameters or multiply-accumulates
    with numbers and costs are additive, by enumeration in small spaces, else unknown.
    """
    if not space.program.requires:
        return Feasible(space.size)
    tests = simple_tests(space)
    if tests is not None and is_additive(space.step):
        used = sorted(tests)
        fold = Fold(Distribution(), len(used), lambda e: tuple([sizes(e)[i] for i in used]))
        try:
            distribution = fold.whole(space.step)
        except TooMany:
            pass
        else:
            met = sum(
                ways
                for cost, ways in distribution.items()
                if all(test(c) for i, c in zip(used, cost, strict=True) for test in tests[i])
            )
            return Feasible(met)
    if space.size <= ENUMERATED:
        try:
            return Feasible(sum(1 for a in space if space.allows(a)))
        except DiagnosticError:
            return Feasible(None, "a condition cannot be worked out")
    return Feasible(None, f"more than {ENUMERATED:,} architectures would have to be built")


def simple_tests(space: Space) -> dict[int, list[Test]] | None:
    """Conditions that compare ``params`` (0) or ``macs`` (1) with numbers; none if others too."""
    tests: dict[int, list[Test]] = {}
    for require in space.program.requires:
        found = _simple(require.condition, space)
        if found is None:
            return None
        for which, test in found:
            tests.setdefault(which, []).append(test)
    return tests


def _simple(condition: s.Expr, space: Space) -> list[tuple[int, Test]] | None:
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
    try:
        if operator == "in" and isinstance(b, s.Range) and b.step is None:
            low = number(_constant(b.low, space), b.low.span)
            high = number(_constant(b.high, space), b.high.span)
            return [(names.index(a.name), lambda x: low <= x <= high)]
        bound = number(_constant(b, space), b.span)
    except EvaluationError:
        return None
    compare: dict[str, Test] = {
        "<": lambda x: x < bound,
        "<=": lambda x: x <= bound,
        ">": lambda x: x > bound,
        ">=": lambda x: x >= bound,
        "==": lambda x: x == bound,
    }
    return [(names.index(a.name), compare[operator])] if operator in compare else None


def _constant(expr: s.Expr, space: Space) -> Any:
    from nasdsl.space.values import Scope

    return space.constraints.value(expr, Scope())


@dataclass(frozen=True)
class Bounds:
    """The least and greatest of a quantity over the declared space."""

    low: int
    high: int
    exact: bool

    def to_json(self) -> dict[str, Any]:
        """As ``info --json`` prints it: ``exact`` stands only where it is false."""
        found: dict[str, Any] = {"min": self.low, "max": self.high}
        if not self.exact:
            found["exact"] = False
        return found


def cost_bounds(space: Space) -> tuple[Bounds, Bounds]:
    """Parameters and multiply-accumulates over the whole declared space.

    Exact where costs are additive, and in small spaces; else the upper bound holds for every
    architecture and the lower bound is that of everything written.
    """
    additive = is_additive(space.step)
    if not additive and space.size <= ENUMERATED:
        params = [(a.params, a.macs) for a in space]
        return tuple(
            Bounds(min(p[i] for p in params), max(p[i] for p in params), True) for i in (0, 1)
        )  # type: ignore[return-value]
    low, high = Fold(Extremes(), 2, sizes).whole(space.step)
    return Bounds(low[0], high[0], additive), Bounds(low[1], high[1], additive)
