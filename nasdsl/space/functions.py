"""The built-in functions of values: ``min``, ``sum``, ``all``, ``sqrt`` and the like."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nasdsl.diagnostics import Span
from nasdsl.space.values import EvaluationError, arithmetic, number, shown, truth

_OF_ONE: Mapping[str, Callable[[Any], Any]] = {
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": lambda x: math.floor(x + 0.5),
    "sqrt": math.sqrt,
    "log2": math.log2,
}
FUNCTIONS = ("min", "max", *_OF_ONE, "sum", "all", "any", "size")
"""Every built-in function by its name."""


def computed(name: str, values: Sequence[Any], span: Span) -> Any:
    """What a function makes of its arguments; raises :class:`EvaluationError`."""
    if name == "size":
        return len(values)
    if name == "all":
        return all(truth(v, span) for v in values)
    if name == "any":
        return any(truth(v, span) for v in values)
    numbers = [number(v, span) for v in values]
    if name == "sum":
        total: int | float = 0
        for v in numbers:
            total = arithmetic("+", total, v, span)
        return total
    if not numbers:
        raise EvaluationError("NAS220", f"'{name}' of nothing is no number", span)
    if name in ("min", "max"):
        return min(numbers) if name == "min" else max(numbers)
    if len(numbers) != 1:
        raise EvaluationError("NAS103", f"'{name}' takes 1 value, found {len(numbers)}", span)
    try:
        return _OF_ONE[name](numbers[0])
    except ValueError:
        message = f"'{name}' of {shown(numbers[0])} is no real number"
        raise EvaluationError("NAS207", message, span) from None
