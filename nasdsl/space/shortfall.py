"""How near architectures come to conditions that none of them meets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nasdsl.diagnostics import DiagnosticError
from nasdsl.language import syntax as s
from nasdsl.space.building import Recorder
from nasdsl.space.quantities import Window, written
from nasdsl.space.ranks import Missing
from nasdsl.space.residual import Branch
from nasdsl.space.values import EvaluationError, Scope
from nasdsl.space.walk import run

if TYPE_CHECKING:
    from nasdsl.space.architecture import Architecture
    from nasdsl.space.outside import Outside
    from nasdsl.space.space import Space

CLIMBS, STEPS = 8, 250
"""So many draws are led towards the conditions, each by so many changes."""


class Gap(NamedTuple):
    """How far an architecture is from a condition: ``distance`` is 0 where it meets it.

    Where the condition compares numbers, ``what`` is ``value``, and that is the least or the
    greatest where ``end`` says ``at least`` or ``at most`` and nothing comes nearer.
    """

    distance: float
    what: str = ""
    end: str = ""
    value: str = ""


MET = Gap(0)


class Shortfall:
    """Keeps how near anything that was seen came to each of several conditions."""

    def __init__(self, conditions: Sequence[str]):
        self._conditions = conditions
        self._alone: list[Gap | None] = [None] * len(conditions)
        self._beside: list[Gap | None] = [None] * len(conditions)

    def see(self, gaps: Sequence[Gap]) -> bool:
        """Take what one architecture is short of; whether it meets everything."""
        missed = [i for i, gap in enumerate(gaps) if gap.distance]
        for i, gap in enumerate(gaps):
            self._alone[i] = _nearer(self._alone[i], gap)
            if not missed or missed == [i]:
                self._beside[i] = _nearer(self._beside[i], gap)
        return not missed

    def told(self, everything: bool = True) -> list[str]:
        """What stands in the way, a clause for each condition that does.

        ``everything``: whether all architectures were seen, so that the nearest is an end.
        """
        none = "none" if everything else "none found"
        found = self._clauses(f"{none} meets", self._alone, everything)
        found = found or self._clauses(
            f"{none} that meets the rest meets", self._beside, everything
        )
        return found or ["whatever meets one of the conditions breaks two others"]

    def _clauses(self, none: str, gaps: Sequence[Gap | None], everything: bool) -> list[str]:
        return [
            f"{none} '{condition}'{_reached(gap, everything)}"
            for condition, gap in zip(self._conditions, gaps, strict=True)
            if gap is not None and gap.distance
        ]


def _nearer(a: Gap | None, b: Gap) -> Gap:
    if a is None or not b.distance:
        return b
    nearer = b if b.distance < a.distance else a
    # Values on both sides of a condition have no end there.
    return nearer if a.end == b.end or not a.distance else nearer._replace(end="")


def _reached(gap: Gap, everything: bool) -> str:
    if not gap.what:
        return ""
    if not everything or not gap.end:
        return f" (the nearest {gap.what} is {gap.value})"
    return f" ({gap.what} is {gap.end} {gap.value})"


def windowed(window: Window, value: int) -> Gap:
    """How far a sum is from a window."""
    what = written(window.terms)
    if window.high is not None and value > window.high:
        return Gap(value - window.high, what, "at least", f"{value:,}")
    if window.low is not None and value < window.low:
        return Gap(window.low - value, what, "at most", f"{value:,}")
    return MET


class Conditions:
    """The conditions of a space one by one: those joined by ``and`` apart."""

    def __init__(self, space: Space, requires: Sequence[s.Require]):
        self._space = space
        self.parts = [part for require in requires for part in _parts(require.condition)]
        self.texts = [" ".join(part.span.text.split()) for part in self.parts]

    def gaps(self, architecture: Architecture) -> list[Gap]:
        """How far an architecture is from each; raises :class:`EvaluationError`."""
        return [self.gap(part, architecture) for part in self.parts]

    def gap(self, part: s.Expr, architecture: Architecture) -> Gap:
        """How far an architecture is from one of the parts."""
        if self._space.constraints.test(part, architecture):
            return MET
        if isinstance(part, s.Compare):
            pairs = zip(part.operands, part.operators, part.operands[1:], strict=False)
            for left, operator, right in pairs:
                gap = self._compared(left, operator, right, architecture)
                if gap.distance:
                    return gap
        return Gap(1)

    def _compared(
        self, left: s.Expr, operator: str, right: s.Expr, architecture: Architecture
    ) -> Gap:
        constraints = self._space.constraints
        a = constraints.measured(left, architecture)
        b = constraints.measured(right, architecture)
        if not _number(a):
            return MET if operator in _MET and _MET[operator](a, b) else Gap(1)
        if operator == "in":
            members = [m for m in b if _number(m)] if isinstance(b, tuple | range) else []
            if isinstance(b, range) and len(b) > 1:
                members = [b[0], b[-1]] if a not in b else [a]
            if not members:
                return Gap(1)
            b = min(members, key=lambda member: abs(a - member))
            operator = "<=" if a > b else ">=" if a < b else "=="
        if not _number(b) or operator not in _MET:
            return Gap(1)
        if _MET[operator](a, b):
            return MET
        distance = abs(a - b) or 0.5  # equal where they must not be
        if self._fixed(right):
            end = {"<": "at least", "<=": "at least", ">": "at most", ">=": "at most"}
            return Gap(distance, _text(left), end.get(operator, ""), _digits(a))
        if self._fixed(left):
            end = {"<": "at most", "<=": "at most", ">": "at least", ">=": "at least"}
            return Gap(distance, _text(right), end.get(operator, ""), _digits(b))
        return Gap(distance, f"{_text(left)} against {_text(right)}", "", f"{a:,} against {b:,}")

    def strain(self, architecture: Architecture | Outside) -> float:
        """How near the limits of comparisons an architecture is, all together; less is farther."""
        total = 0.0
        for part in self.parts:
            if not isinstance(part, s.Compare):
                continue
            pairs = zip(part.operands, part.operators, part.operands[1:], strict=False)
            for left, operator, right in pairs:
                if operator not in ("<", "<=", ">", ">="):
                    continue
                a = self._space.constraints.measured(left, architecture)
                b = self._space.constraints.measured(right, architecture)
                if _number(a) and _number(b):
                    excess = (a - b) / (1 + abs(a) + abs(b))
                    total += excess if operator in ("<", "<=") else -excess
        return total

    def _fixed(self, expr: s.Expr) -> bool:
        """Whether an expression has the same value in every architecture."""
        try:
            self._space.constraints.value(expr, Scope())
        except EvaluationError:
            return False
        return True


_MET: dict[str, Any] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def _parts(condition: s.Expr) -> Iterator[s.Expr]:
    while isinstance(condition, s.Group):
        condition = condition.inner
    if isinstance(condition, s.Binary) and condition.operator == "and":
        yield from _parts(condition.left)
        yield from _parts(condition.right)
    else:
        yield condition


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(expr: s.Expr) -> str:
    return " ".join(expr.span.text.split())


def _digits(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


# ---- going nearer


def climb(
    space: Space,
    conditions: Conditions,
    starts: Sequence[Architecture],
    generator: random.Random,
    seen: Shortfall,
) -> bool:
    """Lead architectures towards the conditions, a few decisions at a time; whether one met all.

    A change is kept where the gaps, each as a share of what it was at the start, do not grow.
    """
    for start in starts[:CLIMBS]:
        here, gaps = start, conditions.gaps(start)
        unit = [gap.distance or 1.0 for gap in gaps]
        if seen.see(gaps):
            return True
        for _ in range(STEPS):
            there = _changed(space, here, generator)
            if there is None:
                continue
            found = conditions.gaps(there)
            if seen.see(found):
                return True
            if _sum(found, unit) <= _sum(gaps, unit):
                here, gaps = there, found
    return False


def _sum(gaps: Sequence[Gap], unit: Sequence[float]) -> float:
    return sum(gap.distance / of for gap, of in zip(gaps, unit, strict=True))


class _Changer(Recorder):
    """Keeps decisions but for some, which are drawn; also those that have become impossible."""

    def __init__(self, decisions: Any, drawn: Sequence[str], generator: random.Random):
        super().__init__(decisions)
        self._drawn = drawn
        self._generator = generator

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision."""
        if name not in self.decided:
            value = self.decisions.get(name)
            if name in self._drawn or value not in branch.options:
                value = self._generator.choice(list(branch.options))
            self.decided[name] = value
        if self.decided[name] not in branch.options:
            raise Missing(name, tuple(branch.options), self.decided[name])
        return self.decided[name]


def _changed(space: Space, here: Architecture, generator: random.Random) -> Architecture | None:
    names = list(here.decisions)
    drawn = generator.sample(names, min(len(names), generator.choice((1, 1, 2))))
    changer = _Changer(here.decisions, drawn, generator)
    try:
        run(space.step, tuple(map(str, range(len(space.inputs)))), changer)
        return space.assembled(changer.decided)
    except (Missing, DiagnosticError):
        return None
