"""What a network is trained for, as its targets say: its loss and its accuracy."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100
"""Label of a pixel that counts neither in the loss nor in the accuracy."""


def loss(output: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean loss of a batch, a scalar in float32.

    Labels [N] with output [N, K] and masks [N, H, W] with output [N, K, H, W]: cross entropy
    in nats, over samples or pixels. Float targets: mean squared error over all values.

    Args:
        output: what the network gave.
        y: the targets.
        label_smoothing: share of the target spread over all classes (Szegedy et al. 2016).
    """
    output = output.float()
    if y.is_floating_point():
        return F.mse_loss(output, y.view_as(output))
    return F.cross_entropy(output, y, label_smoothing=label_smoothing, ignore_index=IGNORED)


def accuracy(output: Tensor, y: Tensor) -> float:
    """Share of right classes in percent, over samples or over pixels.

    A prediction with a value that is not finite is wrong, whatever its largest value.

    Args:
        output: [N, K] or [N, K, H, W].
        y: [N] or [N, H, W].
    """
    counted = y != IGNORED
    right = (output.argmax(1) == y) & torch.isfinite(output).all(1) & counted
    return 100.0 * right.sum().item() / max(1, int(counted.sum().item()))
