"""The function that is attacked: from images in [0, 1] to outputs, normalization inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasdsl.training.data.dataset import Dataset

Norm = Literal["linf", "l2"]
Outputs = Callable[[Tensor], Tensor]
"""From images [N, C, H, W] in [0, 1] to outputs [N, K]."""


def limits(data: Dataset) -> tuple[float, float]:
    """The values that stand for 0 and 1: of bytes, black and white; of float images 0 and 1
    where the training samples lie between them, and else the least and largest of these."""
    x = data.train.x
    if x.dtype == torch.uint8:
        return 0.0, 1.0
    low, high = float(x.min()), float(x.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def pixels(data: Dataset, x: Tensor) -> Tensor:
    """Samples as they are stored, as images in [0, 1]; beyond the limits they are cut."""
    if x.dtype == torch.uint8:
        return x.float() / 255
    low, high = limits(data)
    return ((x.float() - low) / (high - low or 1.0)).clamp(0, 1)


def outputs(module: nn.Module, data: Dataset) -> Outputs:
    """The module on images in [0, 1]: they are put in the data's units and normalized first.

    A perturbation's size is so measured in the images and not in what the network is given.
    """
    low, high = limits(data)

    def run(x: Tensor) -> Tensor:
        scaled = x * (high - low) + low if (low, high) != (0.0, 1.0) else x
        found: Tensor = module(data.inputs(scaled)).float()
        return found

    return run


def right(output: Tensor, y: Tensor) -> Tensor:
    """Which predictions are right, [N]; an output with a value that is not finite is wrong."""
    return (output.argmax(1) == y) & torch.isfinite(output).all(1)


def losses(output: Tensor, y: Tensor) -> Tensor:
    """The cross entropy of each image in nats, [N]."""
    return F.cross_entropy(output, y, reduction="none")


def slope(run: Outputs, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The cross entropy's gradient at images, their losses, and their outputs.

    Gradients of the network's own parameters are not computed and not touched.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        output = run(x)
        each = losses(output, y)
        (gradient,) = torch.autograd.grad(each.sum(), x)
    return gradient, each.detach(), output.detach()


def length(x: Tensor) -> Tensor:
    """The Euclidean length of each image, [N, 1, 1, 1]."""
    found: Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1)
    return found.view(-1, 1, 1, 1)


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The direction of length one that raises the loss most; zero where the gradient is."""
    if norm == "linf":
        return gradient.sign()
    # Scaled first: the square of a small gradient is no number above zero.
    scaled = gradient / gradient.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30)
    return scaled / length(scaled).clamp(min=1e-12)


def projected(x: Tensor, center: Tensor, epsilon: float, norm: Norm) -> Tensor:
    """The images put back into the ball around ``center``, and into [0, 1]."""
    away = x - center
    if norm == "linf":
        away = away.clamp(-epsilon, epsilon)
    else:
        away = away * (epsilon / length(away).clamp(min=1e-12)).clamp(max=1.0)
    return (center + away).clamp(0, 1)
