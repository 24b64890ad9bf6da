"""What a proxy came to: a finite value, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass


class Undefined(Exception):
    """A proxy has no value for this network or batch; the text says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Exactly one of both is there.

    Attributes:
        value: finite.
        reason: why there is no value.
    """

    value: float | None
    reason: str | None = None


def outcome(value: float) -> Outcome:
    """The value where it is finite, else that it is not."""
    if math.isfinite(value):
        return Outcome(float(value))
    return Outcome(None, f"its value is {value}")
