"""Building blocks of MobileNetV3 (Howard et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all channel means (Hu et al. 2018)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, inner, 1)
        self.act = nn.ReLU()
        self.expand = nn.Conv2d(inner, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to the same."""
        means = torch.mean(x, (2, 3), keepdim=True)
        gate: Tensor = self.gate(self.expand(self.act(self.reduce(means))))
        return x * gate


class InvertedResidual(nn.Module):
    """Expand by a 1x1 convolution, filter each channel, project back.

    ``gate`` is the inner width of a squeeze-and-excite gate, 0 for none. There is no expansion
    unless ``expand``. The input is added where the shape stays.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: int,
        kernel: int,
        stride: int = 1,
        expand: bool = True,
        gate: int = 0,
        act: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.expand = nn.Sequential()
        if expand:
            self.expand.add_module("conv", nn.Conv2d(inputs, hidden, 1, bias=False))
            self.expand.add_module("bn", nn.BatchNorm2d(hidden))
            self.expand.add_module("act", act())
        padding = (kernel - 1) // 2
        window = nn.Conv2d(
            hidden, hidden, kernel, stride=stride, padding=padding, groups=hidden, bias=False
        )
        self.depthwise = nn.Sequential()
        self.depthwise.add_module("conv", window)
        self.depthwise.add_module("bn", nn.BatchNorm2d(hidden))
        self.depthwise.add_module("act", act())
        if gate:
            self.depthwise.add_module("se", SqueezeExcite(hidden, gate))
        self.project = nn.Sequential()
        self.project.add_module("conv", nn.Conv2d(hidden, outputs, 1, bias=False))
        self.project.add_module("bn", nn.BatchNorm2d(outputs))
        # An even kernel shrinks the image by one, so that there is nothing to add to.
        self.residual = stride == 1 and inputs == outputs and kernel % 2 == 1

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to other channels and, by the stride, other sizes."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y
