"""Images of three classes that a small network learns: a bright bar at one of three places."""

from __future__ import annotations

import torch

from nasdsl.training.data.dataset import Dataset, Split, statistics


def bars() -> Dataset:
    """Grey images of 8 x 8 with a bright bar whose place is the class."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(144) % 3
    x = torch.rand(144, 1, 8, 8, generator=generator) * 130
    for label in range(3):
        x[y == label, :, :, 1 + 2 * label : 3 + 2 * label] += 60
    x = x.to(torch.uint8)
    return Dataset(
        "bars", Split(x[:96], y[:96]), Split(x[96:], y[96:]), ("a", "b", "c"), *statistics(x)
    )
