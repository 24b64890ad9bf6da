"""Flatness in weight space: how much accuracy moves when every weight is shaken.

``R_sigma = 1/M sum_m |A(w) - A(w (1 + sigma xi_m))|`` with ``xi ~ N(0, I)``, on all parameters,
A in percent (Gambella, Pittorino and Roveri, FlatNAS, 2024). Batch norms keep their running
statistics: the copies are evaluated, not adapted. Options replace the accuracy by the loss, the
noise by one of the same size on every weight, and the running statistics by the copy's own.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.measurement import averaged
from nasdsl.objectives.metrics import MetricRequest
from nasdsl.seeding import derive
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.loop import predict


def flatness(candidate: Candidate, request: MetricRequest) -> tuple[float, float]:
    """R_sigma, and the standard deviation of the M changes (of the sample itself)."""
    _, data = candidate.trained()
    if request["of"] == "accuracy":
        center = candidate.accuracy
    else:
        center = task.loss(candidate.predictions, data.validation.y).item()
    copies = range(request["copies"])
    changes = [abs(center - _noisy(candidate, request, copy)) for copy in copies]
    return averaged(changes)


def _noisy(candidate: Candidate, request: MetricRequest, copy: int) -> float:
    """Accuracy in percent or loss of one copy, whose outputs serve every metric."""
    sigma, additive, recalibrate = request["sigma"], request["additive"], request["recalibrate"]
    key = ("weight noise", sigma, additive, recalibrate, copy)
    module, data = candidate.trained()
    if key not in candidate.shared:
        output = noisy_outputs(
            module,
            data,
            data.validation.x,
            sigma,
            candidate.seed,
            copy,
            candidate.batch,
            additive,
            recalibrate,
        )
        y = data.validation.y
        accuracy = 0.0 if data.kind == "values" else task.accuracy(output, y)
        candidate.shared[key] = {"accuracy": accuracy, "loss": task.loss(output, y).item()}
    found: float = candidate.shared[key][request["of"]]
    return found


@torch.no_grad()
def noisy_weights(
    module: nn.Module, sigma: float, seed: int, copy: int, additive: bool = False
) -> dict[str, Tensor]:
    """The parameters of one copy by name: ``w (1 + sigma xi)``, or ``w + sigma xi``.

    The draws depend on the seed and the number of the copy, not on sigma, the device, or how
    many copies there are: copies of two sigmas differ in size alone.
    """
    named = dict(module.named_parameters())
    # The CPU draws for every device, all parameters at once.
    generator = torch.Generator().manual_seed(derive(seed, "weight noise", copy))
    sizes = [p.numel() for p in named.values()]
    noise = torch.split(torch.randn(sum(sizes), generator=generator), sizes)
    return {
        name: p + sigma * (1 if additive else p) * xi.view_as(p).to(p.device, p.dtype)
        for (name, p), xi in zip(named.items(), noise, strict=True)
    }


def noisy_outputs(
    module: nn.Module,
    data: Dataset,
    x: Tensor,
    sigma: float,
    seed: int,
    copy: int,
    batch: int,
    additive: bool = False,
    recalibrate: bool = False,
) -> Tensor:
    """Outputs of one copy for samples as they are stored; the module itself is not changed.

    Args:
        module: trained, in eval mode.
        data: says how samples are normalized, and on what to recalibrate.
        x: the samples.
        sigma: size of the noise.
        seed: of the candidate.
        copy: its number.
        batch: samples of one pass.
        additive: noise of one size for all weights, not in proportion to each.
        recalibrate: batch norms get the statistics that the first training samples, 2,000 at
            most, have in this copy.
    """
    weights = noisy_weights(module, sigma, seed, copy, additive)
    if not recalibrate:
        return predict(_Copy(module, weights), data, x, batch)
    other = deepcopy(module)
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            parameter.copy_(weights[name])
    recalibrated(other, data)
    return predict(other, data, x, batch)


RECALIBRATION = 2000
_RECALIBRATION_BATCH = 200


@torch.no_grad()
def recalibrated(module: nn.Module, data: Dataset) -> None:
    """Gives batch norms the mean statistics of batches of 200 training samples, in place."""
    norms = [m for m in module.modules() if isinstance(m, _NormBase) and m.track_running_stats]
    if not norms:
        return
    module.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
        norm.training = True
    x = data.train.x[:RECALIBRATION]
    for part in torch.split(x, _RECALIBRATION_BATCH):
        if len(part) > 1:
            module(data.inputs(part))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.training = False


class _Copy(nn.Module):
    """A module run with other weights; its own stay as they are."""

    def __init__(self, module: nn.Module, weights: dict[str, Tensor]):
        super().__init__()
        self.module = module
        self.weights = weights

    def forward(self, x: Tensor) -> Tensor:
        """The output with the other weights."""
        output: Tensor = functional_call(self.module, self.weights, (x,))
        return output
