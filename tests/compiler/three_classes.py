"""Samples that a small network learns in a few steps."""

from __future__ import annotations

import torch

from nasdsl.training.data.dataset import Dataset, Split, statistics


def three_classes() -> Dataset:
    """Noise around three centers, [2, 6, 6] each: 80 samples to train on, 40 to validate."""
    generator = torch.Generator().manual_seed(5)
    centers = torch.randn(3, 2, 6, 6, generator=generator)
    y = torch.arange(120) % 3
    x = centers[y] + torch.randn(120, 2, 6, 6, generator=generator)
    return Dataset(
        "small", Split(x[:80], y[:80]), Split(x[80:], y[80:]), ("a", "b", "c"), *statistics(x[:80])
    )
