"""Accuracy of a candidate under attack."""

from __future__ import annotations

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricError, MetricRequest
from nasdsl.robustness.attacks import evaluate_attack


def robust_accuracy(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """The share of images that are right and stay right in the ball, in percent."""
    _ = candidate.accuracy  # refuses targets without classes and outputs that are not finite
    module, data = candidate.trained()
    own = {name: value for name, value in request.options if name in ("steps", "queries")}
    try:
        report = evaluate_attack(
            module,
            data,
            request.metric.partition(".")[2],
            [request["eps"]],
            request["norm"],
            seed=request["seed"],
            batch=candidate.batch,
            samples=request["samples"] or None,
            **own,
        )
    except ValueError as problem:
        raise MetricError(str(problem)) from problem
    return report.robust[request["eps"]], None
