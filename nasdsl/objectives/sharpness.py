"""The training loss around a candidate's weights: its rise, its curvature, its local energy."""

from __future__ import annotations

import math

import torch

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.measurement import averaged
from nasdsl.objectives.metrics import MetricError, MetricRequest
from nasdsl.objectives.weight_noise import noisy_outputs
from nasdsl.robustness import curvature
from nasdsl.robustness.curvature import Surface
from nasdsl.seeding import derive
from nasdsl.training import task
from nasdsl.training.data.dataset import Split
from nasdsl.training.loop import predict


def rise(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """The largest rise of the loss in a ball."""
    found = curvature.sharpness(
        _surface(candidate, request),
        request["rho"],
        request["adaptive"],
        request["steps"],
        derive(candidate.seed, "sharpness"),
    )
    return found, None


def top_eigenvalue(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """The Hessian's largest eigenvalue."""
    seed = derive(candidate.seed, "hessian")
    return curvature.top(_surface(candidate, request), seed, request["steps"]), None


def trace(candidate: Candidate, request: MetricRequest) -> tuple[float, float]:
    """The Hessian's trace, and the standard deviation over the probes."""
    seed = derive(candidate.seed, "hessian")
    return _mean(curvature.traces(_surface(candidate, request), seed, request["probes"]))


def local_energy(candidate: Candidate, request: MetricRequest) -> tuple[float, float]:
    """The mean rise of the training error in percent, and its standard deviation."""
    module, data = candidate.trained()
    if data.kind == "values":
        raise MetricError(f"the targets of '{data.name}' are values, which have no error")
    split = _samples(candidate, request)
    center = task.accuracy(predict(module, data, split.x, candidate.batch), split.y)
    rises = []
    for copy in range(request["copies"]):
        output = noisy_outputs(
            module, data, split.x, request["sigma"], candidate.seed, copy, candidate.batch
        )
        if not torch.isfinite(output).all():
            raise MetricError("its predictions are not finite")
        rises.append(center - task.accuracy(output, split.y))
    return _mean(rises)


def _mean(values: list[float]) -> tuple[float, float]:
    if not all(map(math.isfinite, values)):
        raise MetricError("a value is not finite")
    return averaged(values)


def _samples(candidate: Candidate, request: MetricRequest) -> Split:
    """Training samples, the same ones for every candidate."""
    _, data = candidate.trained()
    count = request["samples"]
    if not count or count >= len(data.train):
        return data.train
    generator = torch.Generator().manual_seed(derive("training samples", "loss around"))
    chosen = torch.randperm(len(data.train), generator=generator)[:count].to(data.device)
    return Split(data.train.x[chosen], data.train.y[chosen])


def _surface(candidate: Candidate, request: MetricRequest) -> Surface:
    module, data = candidate.trained()
    return Surface(module, data, _samples(candidate, request), candidate.batch)
