"""FGSM (Goodfellow et al. 2015) and PGD (Madry et al. 2018) on the cross entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from nasdsl.robustness import counter
from nasdsl.robustness.attacked import Norm, Outputs, length, projected, right, slope, steepest


def fgsm(run: Outputs, x: Tensor, y: Tensor, epsilon: float, norm: Norm = "linf") -> Tensor:
    """One step of the whole length along the sign (or direction, for L2) of the gradient."""
    gradient, _, _ = slope(run, x, y)
    return projected(x + epsilon * steepest(gradient, norm), x, epsilon, norm)


def random_start(x: Tensor, keys: Tensor, epsilon: float, norm: Norm) -> Tensor:
    """A point of the ball: uniform in it for L-infinity, on a random ray, uniform in length,
    for L2; cut to [0, 1]."""
    count = x[0].numel()
    if norm == "linf":
        noise = counter.uniform(keys, count).view(x.shape) * 2 - 1
    else:
        noise = counter.normal(keys, count).view(x.shape)
        share = counter.uniform(keys, 1, count + count % 2).view(-1, 1, 1, 1)
        noise = noise / length(noise).clamp(min=1e-12) * share
    return (x + epsilon * noise).clamp(0, 1)


def pgd(
    run: Outputs,
    x: Tensor,
    y: Tensor,
    epsilon: float,
    norm: Norm,
    keys: Tensor,
    steps: int = 40,
    step: float | None = None,
) -> Tensor:
    """Projected steps up the loss from a random start; the first image that fools is kept.

    Args:
        run: the attacked function.
        x: images in [0, 1].
        y: classes.
        epsilon: radius of the ball.
        norm: of the ball.
        keys: streams, one for each image.
        steps: how many.
        step: the length of one; ``2.5 epsilon / steps`` by default.
    """
    size = 2.5 * epsilon / steps if step is None else step
    current = random_start(x, keys, epsilon, norm)
    found = current.clone()
    left = torch.arange(len(x), device=x.device)
    for i in range(steps + 1):
        gradient, _, output = slope(run, current, y[left])
        found[left] = current
        still = right(output, y[left])
        left, current, gradient = left[still], current[still], gradient[still]
        if not len(left) or i == steps:
            break
        moved = current + size * steepest(gradient, norm)
        current = projected(moved, x[left], epsilon, norm)
    return found
