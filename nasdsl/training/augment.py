"""Random crops and mirrors of a batch, drawn from a generator of their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nasdsl.training.task import IGNORED


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """What was drawn for each sample of an epoch: where its crop starts, if it is mirrored.

    Attributes:
        rows: first row of the crop in the padded image, [N].
        columns: first column, [N].
        mirrored: truth values, [N].
    """

    rows: Tensor
    columns: Tensor
    mirrored: Tensor

    def of(self, index: slice) -> Draws:
        """The draws of one batch."""
        return Draws(self.rows[index], self.columns[index], self.mirrored[index])


def draw(count: int, crop: int, generator: torch.Generator, device: torch.device | str) -> Draws:
    """Draws for ``count`` samples with ``crop`` pixels of padding.

    Drawn by the CPU's generator and then moved, so that every device sees the same draws.
    """
    starts = torch.randint(0, 2 * crop + 1, (2, count), generator=generator)
    mirrored = torch.rand(count, generator=generator) < 0.5
    return Draws(starts[0].to(device), starts[1].to(device), mirrored.to(device))


def cropped(x: Tensor, padding: int, draws: Draws, fill: float | int = 0) -> Tensor:
    """Each image [N, ..., H, W] padded by ``fill`` and cut back to H x W at its own place.

    With normalized images a fill of zero is the mean color.
    """
    height, width = x.shape[-2:]
    padded = F.pad(x, (padding,) * 4, value=fill)
    rows = draws.rows[:, None] + torch.arange(height, device=x.device)
    columns = draws.columns[:, None] + torch.arange(width, device=x.device)
    samples = torch.arange(len(x), device=x.device)
    cut = padded.movedim((-2, -1), (1, 2))[
        samples[:, None, None], rows[:, :, None], columns[:, None, :]
    ]
    return cut.movedim((1, 2), (-2, -1)).contiguous()


def mirrored(x: Tensor, draws: Draws) -> Tensor:
    """The images [N, ..., H, W] of which it was drawn, mirrored left to right."""
    where = draws.mirrored.view(-1, *(1,) * (x.dim() - 1))
    return torch.where(where, x.flip(-1), x)


def augmented(x: Tensor, y: Tensor, crop: int, flip: bool, draws: Draws) -> tuple[Tensor, Tensor]:
    """Images and targets after crop and mirror; masks [N, H, W] move with their images."""
    mask = y.dim() == 3 and not y.is_floating_point()
    if crop:
        x = cropped(x, crop, draws)
        if mask:
            y = cropped(y, crop, draws, IGNORED)
    if flip:
        x = mirrored(x, draws)
        if mask:
            y = mirrored(y, draws)
    return x, y
