"""Depthwise separable convolutions."""

from __future__ import annotations

from torch import Tensor, nn


class SeparableConv(nn.Module):
    """A convolution of each channel by itself, then one of size 1 that mixes channels."""

    convolution: type[nn.Conv1d | nn.Conv2d] = nn.Conv2d

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.depthwise = self.convolution(
            inputs,
            inputs,
            kernel,
            stride=stride,
            padding=dilation * (kernel - 1) // 2,
            dilation=dilation,
            groups=inputs,
            bias=False,
        )
        self.pointwise = self.convolution(inputs, outputs, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to other channels and, by the stride, other sizes."""
        result: Tensor = self.pointwise(self.depthwise(x))
        return result


class SequenceSeparableConv(SeparableConv):
    """The same over the time of a sequence [batch, time, features]."""

    convolution = nn.Conv1d

    def forward(self, x: Tensor) -> Tensor:
        """[batch, time, features] to other features and, by the stride, another time."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)
