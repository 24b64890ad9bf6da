"""How well a trained network does on the validation samples."""

from __future__ import annotations

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricRequest
from nasdsl.training import task


def accuracy(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Accuracy in percent, over samples or over pixels."""
    return candidate.accuracy, None


def loss(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Mean loss, without label smoothing."""
    _, data = candidate.trained()
    return task.loss(candidate.predictions, data.validation.y).item(), None
