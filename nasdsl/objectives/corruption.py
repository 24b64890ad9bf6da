"""Errors of a candidate on corrupted validation images; each is measured once for all metrics."""

from __future__ import annotations

import math

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.measurement import averaged
from nasdsl.objectives.metrics import MetricError, MetricRequest
from nasdsl.robustness.corrupted import evaluate_corruptions
from nasdsl.robustness.corruptions import SEVERITIES, STANDARD


def mean_error(candidate: Candidate, request: MetricRequest) -> tuple[float, float]:
    """The mean corruption error, and the standard deviation over the corruptions."""
    means = [
        math.fsum(_error(candidate, request, name, s) for s in SEVERITIES) / len(SEVERITIES)
        for name in STANDARD
    ]
    return averaged(means)


def error(candidate: Candidate, request: MetricRequest) -> tuple[float, float | None]:
    """The error under one corruption, at one severity or on average."""
    name = request.metric.partition(".")[2]
    if request["severity"]:
        return _error(candidate, request, name, request["severity"]), None
    return averaged([_error(candidate, request, name, s) for s in SEVERITIES])


def _error(candidate: Candidate, request: MetricRequest, name: str, severity: int) -> float:
    key = ("corruption", name, severity, request["samples"], request["seed"])
    if key not in candidate.shared:
        _ = candidate.accuracy  # refuses targets without classes and outputs that are not finite
        module, data = candidate.trained()
        try:
            report = evaluate_corruptions(
                module,
                data,
                (name,),
                (severity,),
                seed=request["seed"],
                batch=candidate.batch,
                samples=request["samples"] or None,
            )
        except ValueError as problem:
            raise MetricError(str(problem)) from problem
        candidate.shared[key] = report.errors[name][0]
    found: float = candidate.shared[key]
    return found
