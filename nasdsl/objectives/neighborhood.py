"""Flatness in architecture space: accuracies of a ball of architectures become one value.

No torch: the study trains the neighbors as trials of their own and aggregates here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from nasdsl.objectives.measurement import Value, gated
from nasdsl.objectives.metrics import MetricError, MetricRequest


def aggregate(
    center_value: float | None, neighbor_values: Sequence[float | None], request: MetricRequest
) -> Value:
    """The aggregate over the ball, as ``flatness.neighborhood`` asks for it.

    Mean and standard deviation weigh the center by ``weight`` and each neighbor by one; the
    median, the worst (least) and the quantile (linear between order statistics) take each
    member once. The standard deviation is that of the ball itself (no correction for
    sampling). Neighbors without a value are left out, and noted.

    Args:
        center_value: accuracy of the center; ``None`` where it failed.
        neighbor_values: accuracies of the neighbors, ``None`` for those that failed. An
            architecture without neighbors has an empty sequence, and is its own ball.
        request: its options ``aggregate, q, center, weight``.

    Raises:
        MetricError: the center is asked for and failed, every neighbor failed, the ball is
            empty, or a value is not finite.
    """
    found = [float(v) for v in neighbor_values if v is not None and math.isfinite(v)]
    failed = len(neighbor_values) - len(found)
    if neighbor_values and not found:
        raise MetricError(f"none of its {len(neighbor_values)} neighbors has a value")
    weights = [1.0] * len(found)
    if request["center"]:
        if center_value is None:
            raise MetricError("the center has no value")
        found.insert(0, float(center_value))
        weights.insert(0, float(request["weight"]))
    if not found or not sum(weights):
        raise MetricError("it has no neighbors")
    mean = math.fsum(w * v for w, v in zip(weights, found, strict=True)) / math.fsum(weights)
    variance = math.fsum(w * (v - mean) ** 2 for w, v in zip(weights, found, strict=True))
    spread = math.sqrt(variance / math.fsum(weights))
    value = {
        "mean": lambda: mean,
        "median": lambda: quantile(found, 0.5),
        "worst": lambda: min(found),
        "quantile": lambda: quantile(found, request["q"]),
        "std": lambda: spread,
    }[request["aggregate"]]()
    note = f"{failed} of {len(neighbor_values)} neighbors failed" if failed else ""
    return gated(value, spread, request.facts.unit, note=note)


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile, 0 <= q <= 1, linear between order statistics (Hyndman and Fan's type 7)."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
