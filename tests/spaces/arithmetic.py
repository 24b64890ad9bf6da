"""What all cells of NAS-Bench-201 compute, written from the benchmark's description.

Many cells are worked out at once, all edges of one operation together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.spaces import published

CHANNELS = 2
EPSILON = 1e-5
Mode = Literal["running", "batch"]
"""Norms by running statistics, as in evaluation, or by those of the batch, as in training."""


@dataclass(frozen=True)
class Weights:
    """Those of a convolution of 3x3, one of 1x1 and a norm, for any leading dimensions."""

    wide: Tensor
    narrow: Tensor
    scale: Tensor
    shift: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def drawn(cls, leading: tuple[int, ...], draw: torch.Generator) -> Weights:
        """Random ones, none of them 0 or 1 by chance."""

        def uniform(low: float, high: float, *shape: int) -> Tensor:
            noise = torch.rand(*leading, *shape, generator=draw, dtype=torch.float64)
            return low + (high - low) * noise

        c = CHANNELS
        return cls(
            uniform(-1, 1, c, c, 3, 3),
            uniform(-1, 1, c, c),
            *(uniform(0.5, 1.5, c) for _ in range(4)),
        )

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in the order of the fields."""
        return self.wide, self.narrow, self.scale, self.shift, self.mean, self.variance

    def at(self, index: Any) -> Weights:
        """Those at an index of the leading dimensions."""
        return Weights(*(t[index] for t in self.tensors()))


def matching(cells: list[published.Edges], seed: int) -> Weights:
    """Weights ``[cell, edge]``: shared by number as ``published.numbered`` has it.

    Edges of one number have one set of weights in all cells, but for what the result does not
    depend on, which is drawn for each cell: the edges without a number, and the convolution of
    an edge that is zero before its norm.
    """
    draw = torch.Generator().manual_seed(seed)
    shared = Weights.drawn((6,), draw)
    own = Weights.drawn((len(cells), 6), draw)
    number = torch.full((len(cells), 6), -1)
    for at, cell in enumerate(cells):
        for edge, n in published.numbered(cell)[1].items():
            number[at, edge] = n
    chosen = shared.at(number.clamp(min=0))
    parts = []
    for common, single in zip(chosen.tensors(), own.tensors(), strict=True):
        used = (number >= 0).reshape(*number.shape, *[1] * (common.ndim - 2))
        parts.append(torch.where(used, common, single))
    return Weights(*parts)


def outputs(cells: list[published.Edges], weights: Weights, x: Tensor, mode: Mode) -> Tensor:
    """What each cell makes of ``x [batch, channels, h, w]``: ``[cell, batch, channels, h, w]``."""
    which = torch.tensor([[published.OPERATIONS.index(o) for o in c] for c in cells])
    values = [x.expand(len(cells), *x.shape)]
    edge = 0
    for node in range(3):
        total = torch.zeros_like(values[0])
        for source in range(node + 1):
            total = total + _edge(
                values[source], weights.at((slice(None), edge)), which[:, edge], mode
            )
            edge += 1
        values.append(total)
    return values[-1]


def _edge(x: Tensor, weights: Weights, which: Tensor, mode: Mode) -> Tensor:
    made = torch.zeros_like(x)
    for index, operation in enumerate(published.OPERATIONS):
        at = which == index
        if not at.any():
            continue
        part, own = x[at], weights.at(at)
        if operation == "skip_connect":
            made[at] = part
        elif operation == "avg_pool_3x3":
            pooled = F.avg_pool2d(part.flatten(0, 1), 3, 1, 1, count_include_pad=False)
            made[at] = pooled.reshape(part.shape)
        elif operation != "none":
            kernels = own.wide if operation == "nor_conv_3x3" else own.narrow[..., None, None]
            made[at] = _norm(_convolved(part.relu(), kernels), own, mode)
    return made


def _convolved(x: Tensor, kernels: Tensor) -> Tensor:
    """``x [cell, batch, channels, h, w]`` by ``kernels [cell, channels, channels, k, k]``."""
    size = kernels.shape[-1]
    patches = F.unfold(x.flatten(0, 1), size, padding=size // 2)
    patches = patches.reshape(*x.shape[:2], *patches.shape[1:])
    return torch.einsum("noi,nbip->nbop", kernels.flatten(2), patches).reshape(x.shape)


def _norm(x: Tensor, weights: Weights, mode: Mode) -> Tensor:
    def wide(t: Tensor) -> Tensor:
        return t[:, None, :, None, None]

    mean, variance = wide(weights.mean), wide(weights.variance)
    if mode == "batch":
        mean = x.mean((1, 3, 4), keepdim=True)
        variance = x.var((1, 3, 4), correction=0, keepdim=True)
    return (x - mean) / (variance + EPSILON).sqrt() * wide(weights.scale) + wide(weights.shift)
