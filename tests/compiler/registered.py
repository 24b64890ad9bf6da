"""Operations of a user, as a package outside nasdsl would write them."""

from __future__ import annotations

import math as maths
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.compiler import Module
from nasdsl.operations import Cost, Operation, Parameter, TensorType

START = 0.5


def bounded(x: Tensor) -> Tensor:
    return torch.tanh(x) * maths.pi


class Scale(nn.Module):
    """Scales each channel by a learned number, bounded."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), START) + torch.rand(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * bounded(self.scale)


FACTS = Operation(
    "test_scale",
    "Scales each channel by a learned number.",
    (Parameter("power", "int", 1, 1, doc="not used"),),
    lambda s, inputs: inputs[0],
    lambda s, inputs, output: Cost(inputs[0].channels),
)


def recipe(settings: Any, inputs: tuple[TensorType, ...], output: TensorType) -> Module:
    return Module(Scale, (inputs[0].channels,))


def built(settings: Any, inputs: tuple[TensorType, ...], output: TensorType) -> nn.Module:
    return Scale(inputs[0].channels)
