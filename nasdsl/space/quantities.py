"""What conditions measure: sums over the operations and decisions of an architecture.

A condition as ``2 * count(skip) + count(none) <= 5`` or ``params in 1M..2M`` is a window on a sum
of quantities, each with a whole factor. Where the quantities are additive, architectures within
the window are counted, bounded and drawn without visiting them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasdsl.graph.live import COMBINING, SPECIAL
from nasdsl.language import syntax as s
from nasdsl.space.residual import Branch, Emit, Whole, steps
from nasdsl.space.values import EvaluationError, Scope, number

if TYPE_CHECKING:
    from nasdsl.space.space import Space

LIVE = ("params", "macs", "nodes")
"""Quantities of the live network: sums where nothing written can be dead."""
WRITTEN = ("declared_params", "declared_macs")
DECIDED = ("count", "edges")


@dataclass(frozen=True, order=True)
class Quantity:
    """A number of an architecture that a condition names, as ``macs`` or ``count(skip, none)``."""

    name: str
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.words)})" if self.name in DECIDED else self.name


Terms = tuple[tuple[Quantity, int], ...]
"""A sum of quantities with their factors, in a fixed order."""


def written(terms: Terms) -> str:
    """A sum as a condition would have it."""
    text = ""
    for quantity, factor in terms:
        size = str(quantity) if abs(factor) == 1 else f"{abs(factor)} * {quantity}"
        sign = "-" if factor < 0 else "+"
        text += f" {sign} {size}" if text else f"-{size}" if factor < 0 else size
    return text


@dataclass(frozen=True)
class Window:
    """A sum that lies between two whole numbers, both included; none where it is open."""

    terms: Terms
    low: int | None
    high: int | None

    def holds(self, value: int) -> bool:
        """Whether a value is within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        what = written(self.terms)
        if self.low is None:
            return f"{what} <= {self.high:,}"
        if self.high is None:
            return f"{what} >= {self.low:,}"
        if self.low == self.high:
            return f"{what} == {self.low:,}"
        return f"{self.low:,} <= {what} <= {self.high:,}"


@dataclass(frozen=True)
class Meter:
    """What operations, and values of decisions, add to a sum.

    ``option`` is none where decisions themselves add nothing.
    """

    emit: Callable[[Emit], int]
    option: Callable[[Branch, Any], int] | None = None


def meter(space: Space, terms: Terms) -> Meter | None:
    """How to add up terms over a space's steps; none where they are no sums there."""
    if not space.additive and any(quantity.name in LIVE for quantity, _ in terms):
        return None
    emitting = [(_EMITTED[q.name], factor) for q, factor in terms if q.name in _EMITTED]
    options = [(_option(space, q), factor) for q, factor in terms if q.name in DECIDED]

    def emit(step: Emit) -> int:
        return sum(factor * of(step) for of, factor in emitting)

    def option(branch: Branch, value: Any) -> int:
        return sum(factor * of(branch, value) for of, factor in options)

    return Meter(emit, option if options else None)


def node(step: Emit) -> int:
    """Whether an operation is a node of a live network without zeros."""
    return int(step.op not in SPECIAL and not (step.op in COMBINING and len(step.inputs) == 1))


_EMITTED: Mapping[str, Callable[[Emit], int]] = {
    "params": lambda step: step.cost.params,
    "macs": lambda step: step.cost.macs,
    "declared_params": lambda step: step.cost.params,
    "declared_macs": lambda step: step.cost.macs,
    "nodes": node,
}


def chosen_of(branch: Branch) -> str:
    """The choice whose alternatives a decision takes, where it takes any."""
    return branch.of.rpartition(" in ")[2]


def names(word: str, of: str, value: Any) -> bool:
    """Whether a decision for a value of a choice is one for an alternative, as ``Op.skip``."""
    choice, _, label = word.rpartition(".")
    return value == label and (not choice or choice == of)


def _option(space: Space, quantity: Quantity) -> Callable[[Branch, Any], int]:
    words = quantity.words
    if quantity.name == "count":

        def count(branch: Branch, value: Any) -> int:
            of = chosen_of(branch)
            return int(isinstance(value, str) and any(names(w, of, value) for w in words))

        return count
    cell_of = {
        id(branch): cell.name
        for whole in steps(space.step)
        if isinstance(whole, Whole)
        for cell in (*whole.first, *whole.last)
        for branch in steps(cell.joint)
        if isinstance(branch, Branch)
    }

    def edges(branch: Branch, value: Any) -> int:
        if not isinstance(value, tuple) or (words and cell_of.get(id(branch)) not in words):
            return 0
        return len(value)

    return edges


# ---- reading conditions


def windows(space: Space, condition: s.Expr) -> tuple[Window, ...] | None:
    """A condition as windows that hold together; none where it is something else."""
    reader = _Reader(space)
    found = reader.windows(condition)
    return None if found is None else tuple(found)


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
_Linear = tuple[dict[Quantity, int], int | float]


class _Reader:
    def __init__(self, space: Space):
        self._space = space
        # Values that were chosen come before quantities of the same name.
        self._hidden = {
            branch.name.partition("[")[0]
            for branch in steps(space.step)
            if isinstance(branch, Branch)
        }

    def windows(self, condition: s.Expr) -> list[Window] | None:
        while isinstance(condition, s.Group):
            condition = condition.inner
        if isinstance(condition, s.Binary) and condition.operator == "and":
            left, right = self.windows(condition.left), self.windows(condition.right)
            return None if left is None or right is None else left + right
        if not isinstance(condition, s.Compare):
            return None
        found = []
        for a, operator, b in zip(
            condition.operands, condition.operators, condition.operands[1:], strict=False
        ):
            window = self._compared(a, operator, b)
            if window is None:
                return None
            found.append(window)
        return found

    def _compared(self, a: s.Expr, operator: str, b: s.Expr) -> Window | None:
        left = self._linear(a)
        if left is None:
            return None
        if operator == "in":
            if not isinstance(b, s.Range) or b.step is not None:
                return None
            ends = self._linear(b.low), self._linear(b.high)
            if ends[0] is None or ends[1] is None or ends[0][0] or ends[1][0]:
                return None
            return _window(left, ends[0][1], ends[1][1])
        right = self._linear(b)
        if right is None or operator not in _MIRRORED:
            return None
        if not left[0]:
            left, right, operator = right, left, _MIRRORED[operator]
        if right[0]:  # quantities on both sides
            left = _added(left, right, -1)
            right = {}, 0
        bound = right[1]
        if not math.isfinite(bound):
            return None
        low = {">": math.floor(bound) + 1, ">=": math.ceil(bound), "==": math.ceil(bound)}
        high = {"<": math.ceil(bound) - 1, "<=": math.floor(bound), "==": math.floor(bound)}
        return _window(left, low.get(operator), high.get(operator))

    def _linear(self, e: s.Expr) -> _Linear | None:
        if isinstance(e, s.Group):
            return self._linear(e.inner)
        quantity = self._quantity(e)
        if quantity is not None:
            return {quantity: 1}, 0
        found: _Linear | None = None
        if isinstance(e, s.Unary) and e.operator == "-":
            inner = self._linear(e.operand)
            found = None if inner is None else _added(({}, 0), inner, -1)
        elif isinstance(e, s.Terms):
            found = {}, 0
            for operand, sign in zip(e.operands, ("+", *e.operators), strict=True):
                term = self._linear(operand)
                if term is None or sign not in ("+", "-"):
                    found = None
                    break
                found = _added(found, term, 1 if sign == "+" else -1)
        elif isinstance(e, s.Binary) and e.operator == "*":
            left, right = self._linear(e.left), self._linear(e.right)
            if left is not None and right is not None and not (left[0] and right[0]):
                term, factor = (left, right[1]) if left[0] else (right, left[1])
                if isinstance(factor, int) or not term[0]:
                    terms = {q: n * int(factor) for q, n in term[0].items() if factor}
                    found = terms, term[1] * factor
        # In sums with quantities only whole numbers are exact.
        if found is not None and (not found[0] or isinstance(found[1], int)):
            return found
        try:
            return {}, number(self._space.constraints.value(e, Scope()), e.span)
        except EvaluationError:
            return None

    def _quantity(self, e: s.Expr) -> Quantity | None:
        program = self._space.program
        if isinstance(e, s.Ref) and e.name in (*LIVE, *WRITTEN):
            return None if e.name in program.lets or e.name in self._hidden else Quantity(e.name)
        if isinstance(e, s.Call) and isinstance(e.callee, s.Ref) and e.callee.name in DECIDED:
            try:
                words = self._space.constraints.words(e)
            except EvaluationError:
                return None
            return Quantity(e.callee.name, tuple(words))
        return None


def _added(a: _Linear, b: _Linear, factor: int) -> _Linear:
    terms = dict(a[0])
    for quantity, n in b[0].items():
        terms[quantity] = terms.get(quantity, 0) + factor * n
    return {q: n for q, n in terms.items() if n}, a[1] + factor * b[1]


def _window(sum_: _Linear, low: int | float | None, high: int | float | None) -> Window | None:
    terms, constant = sum_
    if not terms or not isinstance(constant, int):
        return None
    least = None if low is None else math.ceil(low) - constant
    most = None if high is None else math.floor(high) - constant
    ordered = tuple(sorted(terms.items()))
    if all(factor < 0 for _, factor in ordered):
        ordered = tuple([(quantity, -factor) for quantity, factor in ordered])
        least, most = (None if most is None else -most), (None if least is None else -least)
    return Window(ordered, least, most)


def together(windows: list[Window]) -> list[Window]:
    """Windows on the same sum as one."""
    found: dict[Terms, Window] = {}
    for window in windows:
        known = found.get(window.terms)
        if known is not None:
            low = [b for b in (known.low, window.low) if b is not None]
            high = [b for b in (known.high, window.high) if b is not None]
            window = Window(window.terms, max(low, default=None), min(high, default=None))
        found[window.terms] = window
    return list(found.values())
