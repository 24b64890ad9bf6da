"""The ascent of sharpness-aware minimization: to the worst weights nearby, and back.

SAM (Foret et al. 2021): ``e = rho g / ||g||``. ASAM (Kwon et al. 2021), elementwise:
``e = rho w^2 g / || |w| g ||``. The gradient that the optimizer then sees is that at
``w + e``, the weights that it moves are those at ``w``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

_TINY = 1e-12


@torch.no_grad()
def ascend(parameters: Iterable[nn.Parameter], rho: float, adaptive: bool) -> list[Tensor]:
    """Moves the parameters to ``w + e`` by their gradients, and gives their old values.

    Parameters without a gradient are not part of it.
    """
    moved: list[Tensor] = [p for p in parameters if p.grad is not None]
    old = [p.detach().clone() for p in moved]
    slopes = [_slope(p) for p in moved]
    if not moved:
        return old
    if adaptive:
        sizes = [p.abs() for p in moved]
        scaled = list(torch._foreach_mul(slopes, sizes))
        norm = torch.stack(torch._foreach_norm(scaled)).norm()
        slopes = list(torch._foreach_mul(scaled, sizes))
    else:
        norm = torch.stack(torch._foreach_norm(slopes)).norm()
    # One factor on the device: a float would wait for the norm on CUDA.
    torch._foreach_add_(moved, list(torch._foreach_mul(slopes, rho / (norm + _TINY))))
    return old


def _slope(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


@torch.no_grad()
def descend(parameters: Iterable[nn.Parameter], old: Sequence[Tensor]) -> None:
    """Puts back, exactly, the values that :func:`ascend` gave."""
    moved = [p for p in parameters if p.grad is not None]
    for parameter, value in zip(moved, old, strict=True):
        parameter.copy_(value)


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Within it, batch norms use the batch's statistics and leave their running ones alone.

    The second pass of a sharpness-aware step sees perturbed weights: their statistics are not
    those of the network, and each batch would count twice.
    """
    norms = [m for m in module.modules() if isinstance(m, _NormBase) and m.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
