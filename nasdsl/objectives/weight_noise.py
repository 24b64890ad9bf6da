"""Flatness in weight space: how much accuracy moves when every weight is shaken.

``R_sigma = 1/M sum_m |A(w) - A(w (1 + sigma xi_m))|`` with ``xi ~ N(0, I)``, on all parameters,
A in percent (Gambella, Pittorino and Roveri, FlatNAS, 2024). Batch norms keep their running
statistics: the copies are evaluated, not adapted.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricRequest
from nasdsl.seeding import derive
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.loop import predict


def flatness(candidate: Candidate, request: MetricRequest) -> tuple[float, float]:
    """R_sigma in percent, and the standard deviation of the M changes (of the sample itself)."""
    center = candidate.accuracy
    sigma = request["sigma"]
    changes = [
        abs(center - candidate.noisy_accuracy(sigma, copy)) for copy in range(request["copies"])
    ]
    mean = math.fsum(changes) / len(changes)
    variance = math.fsum((change - mean) ** 2 for change in changes) / len(changes)
    return mean, math.sqrt(variance)


@torch.no_grad()
def noisy_weights(module: nn.Module, sigma: float, seed: int, copy: int) -> dict[str, Tensor]:
    """The parameters of one copy by name: ``w (1 + sigma xi)``.

    The draws depend on the seed and the number of the copy, not on sigma, the device, or how
    many copies there are: copies of two sigmas differ in size alone.
    """
    named = dict(module.named_parameters())
    # The CPU draws for every device, all parameters at once.
    generator = torch.Generator().manual_seed(derive(seed, "weight noise", copy))
    sizes = [p.numel() for p in named.values()]
    noise = torch.split(torch.randn(sum(sizes), generator=generator), sizes)
    return {
        name: p + sigma * p * xi.view_as(p).to(p.device, p.dtype)
        for (name, p), xi in zip(named.items(), noise, strict=True)
    }


def noisy_predictions(
    module: nn.Module, data: Dataset, sigma: float, seed: int, copy: int, batch: int
) -> Tensor:
    """Outputs of one copy for the validation samples; the module itself is not changed."""
    noisy = _Copy(module, noisy_weights(module, sigma, seed, copy))
    return predict(noisy, data, data.validation.x, batch)


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
