"""The metric that reads a column of published values."""

from __future__ import annotations

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricRequest


def column(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """One column's value of the candidate."""
    return candidate.published(request["column"]), None
