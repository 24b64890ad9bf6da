"""What was measured: values with spread, unit and time, or a failure with its reason. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nasdsl.graph.network import Network
from nasdsl.objectives.metrics import MetricError
from nasdsl.training.history import EpochRecord

Fact = float | str | tuple[Network, ...]
"""What a space knows of an architecture beyond its graph: counts, its ``key``, and the neighbors
to estimate, by how the goal that asks for them is written."""


def averaged(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of the values themselves, not of what they are a sample of."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))


@dataclass(frozen=True, slots=True)
class Value:
    """One measured value.

    Attributes:
        value: finite.
        spread: standard deviation over what was averaged, where something was; finite.
        unit: as the metric says.
        seconds: that it took, beyond work that was already done.
        note: a remark a reader should see, as "1 of 6 neighbors failed".
    """

    value: float
    spread: float | None = None
    unit: str = ""
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Measurement:
    """The outcome of one candidate; plain data that pickles without torch.

    Attributes:
        values: by label; of a failed candidate those that were had before it failed.
        state: whether every value asked for is there.
        reason: of the failure: "diverged at step 12: loss is nan", "out of memory",
            "error: ...".
        timings: seconds by phase: compile, data, train, and each metric's label.
        history: of the training, by epoch.
        weights: the trained ones as a safetensors file's bytes, where they were asked for.
        detail: the traceback of an error, for whoever looks into it.
        failures: reasons by label, where metrics were measured each by itself.
    """

    values: Mapping[str, Value]
    state: Literal["complete", "failed"] = "complete"
    reason: str | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    history: tuple[EpochRecord, ...] = ()
    weights: bytes | None = field(default=None, repr=False)
    detail: str | None = field(default=None, repr=False)
    failures: Mapping[str, str] = field(default_factory=dict)


def gated(
    value: float, spread: float | None, unit: str, seconds: float = 0.0, note: str = ""
) -> Value:
    """A value that is let through because it is finite.

    Raises:
        MetricError: it is not; a NaN that got into a front would dominate or be dominated at
            random.
    """
    if not math.isfinite(value):
        raise MetricError(f"its value is {value}")
    if spread is not None and not math.isfinite(spread):
        raise MetricError(f"its spread is {spread}")
    return Value(float(value), None if spread is None else float(spread), unit, seconds, note)
