"""The reduction of DARTS (Liu et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FactorizedReduction(nn.Module):
    """Halves height and width without dropping a place.

    Two 1x1 convolutions of stride 2, one on the even places and one on the odd ones, joined.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to [batch, outputs, height / 2, width / 2]."""
        x = self.act(x)
        joined: Tensor = self.bn(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1))
        return joined
