"""How large a network is: facts of its graph, had without training it."""

from __future__ import annotations

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricError, MetricRequest


def params(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Learned parameters of the live network."""
    return float(candidate.graph().params), None


def macs(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Multiply-accumulates of one sample in the live network."""
    return float(candidate.graph().macs), None


def declared_params(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Learned parameters of everything written, which only the space knows."""
    value = candidate.facts.get("declared_params")
    if not isinstance(value, int | float):
        raise MetricError("a network by itself does not say what was declared")
    return float(value), None
