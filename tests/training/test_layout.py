"""Layouts of memory change no results beyond rounding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nasdsl.training.data.dataset import Dataset, Split, statistics
from nasdsl.training.layout import arrange
from nasdsl.training.loop import train
from nasdsl.training.settings import Sgd, Sharpness, TrainSettings


def network() -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * 4 * 4, 5),
        )


def data() -> Dataset:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(64, 3, 8, 8, generator=draw)
    split = Split(x, torch.arange(64) % 5)
    return Dataset("random", split, split, tuple("abcde"), *statistics(x))


@pytest.mark.parametrize("sharpness", [None, Sharpness(0.05, True)])
def test_channels_last_trains_to_the_same_weights(sharpness: Sharpness | None) -> None:
    plain, laid = network(), network()
    settings: dict[str, Any] = {
        "steps": 12,
        "batch": 16,
        "optimizer": Sgd(0.05),
        "sharpness": sharpness,
    }
    train(plain, data(), TrainSettings(**settings), seed=1)
    train(laid, data(), TrainSettings(channels_last=True, **settings), seed=1)
    for a, b in zip(plain.parameters(), laid.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)
    convolutions = [m for m in laid if isinstance(m, nn.Conv2d)]
    last = torch.channels_last
    assert all(m.weight.is_contiguous(memory_format=last) for m in convolutions)
    assert next(plain.parameters()).is_contiguous()


def test_only_weights_of_two_dimensional_convolutions_are_laid_out() -> None:
    mixed = nn.Sequential(nn.Conv1d(4, 4, 3), nn.Conv3d(4, 4, 3), nn.Linear(4, 4))
    strides = [p.stride() for p in mixed.parameters()]
    arrange(mixed, TrainSettings(channels_last=True))
    assert [p.stride() for p in mixed.parameters()] == strides
