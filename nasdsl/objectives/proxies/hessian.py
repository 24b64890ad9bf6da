"""The curvature of the loss around each sample: the largest eigenvalue over inputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from nasdsl.objectives.proxies.subject import sensitivities
from nasdsl.seeding import derive
from nasdsl.training.task import IGNORED

ITERATIONS = 10


def hessian(x: Tensor, output: Tensor, y: Tensor, seed: int, iterations: int = ITERATIONS) -> float:
    """Mean over samples of the Rayleigh quotient after a power iteration on each sample's Hessian.

    All samples at once: they are independent, so the Hessian of the summed losses is made of
    theirs. One Hessian-vector product an iteration, by double backward.

    Args:
        x: inputs [N, ...], a leaf of the graph.
        output: of a pass in which samples are independent.
        y: targets.
        seed: of the first direction.
        iterations: at least 1.
    """
    (gradient,) = sensitivities(_summed(output, y), [x], keep=True)
    if not gradient.requires_grad:  # linear in the input: no curvature at all
        return 0.0
    generator = torch.Generator().manual_seed(derive(seed, "hessian"))
    direction = _unit(torch.randn(x.shape, generator=generator).to(x.device, x.dtype))
    quotient = torch.zeros(len(x), device=x.device)
    for _ in range(iterations):
        (product,) = sensitivities((gradient * direction).sum(), [x])
        quotient = (product * direction).flatten(1).sum(1)
        direction = _unit(product.detach())
    return float(quotient.detach().double().mean())


def _summed(output: Tensor, y: Tensor) -> Tensor:
    """The sum over samples of each one's mean loss."""
    output = output.float() if output.dtype == torch.float16 else output
    if y.is_floating_point():
        losses = F.mse_loss(output, y.view_as(output).to(output.dtype), reduction="none")
        return losses.flatten(1).mean(1).sum()
    losses = F.cross_entropy(output, y, reduction="none", ignore_index=IGNORED)
    return losses.view(len(y), -1).mean(1).sum()


def _unit(direction: Tensor) -> Tensor:
    norms = direction.flatten(1).norm(dim=1).clamp_min(torch.finfo(direction.dtype).tiny)
    unit: Tensor = direction / norms.view(-1, *(1 for _ in direction.shape[1:]))
    return unit


@contextmanager
def twice_differentiable(module: nn.Module) -> Iterator[None]:
    """Within it a module is computed by steps that have second derivatives.

    torch has none for fused attention and for the hard sigmoid.
    """
    gates = [part for part in module.modules() if isinstance(part, nn.Hardsigmoid)]
    for gate in gates:
        gate.__dict__["forward"] = _hard_sigmoid
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        for gate in gates:
            del gate.__dict__["forward"]


def _hard_sigmoid(x: Tensor) -> Tensor:
    return F.relu6(x + 3) / 6
