"""What estimated neighborhoods are held to: accuracies of every network, trained from scratch.

Cells of NAS-Bench-201 on noisy digits, or on the images of an npz file. Whatever takes long is
kept in a file and never measured twice.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.population import cells
from nasdsl.compiler import compile_network
from nasdsl.seeding import derive
from nasdsl.space import Architecture, Space
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.data.dataset import statistics as image_statistics
from nasdsl.training.data.load import load
from nasdsl.training.loop import predict, train
from nasdsl.training.settings import DataSettings, Sgd, TrainSettings

Ball = tuple[Architecture, Sequence[Architecture]]
"""A center and all its neighbors."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is trained, and how.

    Attributes:
        name: which a file of measurements carries, so that none goes on with another's.
        space: the text of the space.
        train: how each network is trained.
    """

    name: str
    space: str
    train: TrainSettings


DIGITS = Setting(
    "digits: 300 images, noise 0.4, 120 steps",
    cells(8, 8),
    TrainSettings(steps=120, batch=64, optimizer=Sgd(lr=0.1)),
)
IMAGES = Setting(
    "images of 8x8: 8000, 120 steps",
    cells(8, 8, 3),
    TrainSettings(steps=120, batch=64, optimizer=Sgd(lr=0.1)),
)
POOLED = 4
"""Pixels of an image's side that become one."""


def digits() -> Dataset:
    """Noisy digits: 300 to train on, 1,000 to validate."""
    return load(DataSettings(train=300, validation=1000, test=0.2, noise=0.4))


def images(path: Path) -> Dataset:
    """8,000 training and 2,000 validation images of an npz file, at a quarter of their side."""
    whole = load(DataSettings("npz", str(path), train=8000, validation=2000, noise=0.0))
    train_x, validation_x = (
        F.avg_pool2d(split.x.float(), POOLED).round().to(split.x.dtype)
        for split in (whole.train, whole.validation)
    )
    return Dataset(
        whole.name,
        Split(train_x, whole.train.y),
        Split(validation_x, whole.validation.y),
        whole.classes,
        *image_statistics(train_x),
    )


class Kept:
    """Measured numbers by name, in a file where one is given; each is measured once.

    Args:
        setting: what they are numbers of.
        path: of the file, which is read if it is there.

    Raises:
        ValueError: the file is of another setting.
    """

    def __init__(self, setting: str, path: Path | None = None):
        self._setting = setting
        self._path = path
        self._values: dict[str, float] = {}
        if path is not None and path.is_file():
            found = json.loads(path.read_text())
            if found["setting"] != setting:
                raise ValueError(f"{path} is of {found['setting']!r}, not of {setting!r}")
            self._values = found["values"]

    def get(self, name: str, measure: Callable[[], float]) -> float:
        """The number of that name, measured if it is not known yet."""
        if name not in self._values:
            self._values[name] = measure()
        return self._values[name]

    def save(self) -> None:
        """Writes all that is known, whole or not at all."""
        if self._path is not None:
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps({"setting": self._setting, "values": self._values}))
            os.replace(partial, self._path)


class Scratch:
    """Networks trained from scratch, and their accuracies."""

    def __init__(self, setting: Setting, data: Dataset, kept: Kept, device: str = "cpu"):
        self.setting = setting
        self.data = data
        self.kept = kept
        self.device = device
        self._centers: dict[int, torch.nn.Module] = {}

    def module(self, architecture: Architecture, seed: int) -> torch.nn.Module:
        """The network, trained; equal ones of equal seed are equal."""
        own = derive(seed, "trial", architecture.fingerprint)
        module = compile_network(architecture.network, own)
        train(module, self.data, self.setting.train, derive(own, "train"), self.device)
        return module

    def center(self, architecture: Architecture) -> torch.nn.Module:
        """A center of the first measurement, trained once.

        By its rank: the modules of equal networks may have other names.
        """
        if architecture.rank not in self._centers:
            self._centers[architecture.rank] = self.module(architecture, 0)
        return self._centers[architecture.rank]

    def accuracies(self, balls: Sequence[Ball], seed: int) -> dict[str, float]:
        """By fingerprint, in percent of the validation samples; saved after every ball."""
        found = {}
        for center, near in balls:
            for each in (center, *near):
                name = f"{each.fingerprint}:{seed}"
                measure = partial(self._accuracy, each, seed)
                found[each.fingerprint] = self.kept.get(name, measure)
            self.kept.save()
        return found

    def _accuracy(self, architecture: Architecture, seed: int) -> float:
        module = self.module(architecture, seed)
        output = predict(module, self.data, self.data.validation.x)
        return task.accuracy(output, self.data.validation.y)


class Reference:
    """What estimates are held to: the means over balls, of accuracies from scratch."""

    def __init__(self, balls: Sequence[Ball], values: Mapping[str, float]):
        self.balls = balls
        self.own = [values[center.fingerprint] for center, _ in balls]
        self.means = means(balls, values)
        self.drops = [o - m for o, m in zip(self.own, self.means, strict=True)]

    def row(self, name: str, price: float, found: Sequence[float]) -> dict[str, Any]:
        """How well estimated means rank means and drops, of all and of the later half."""
        drops = [o - m for o, m in zip(self.own, found, strict=True)]
        half = len(found) // 2
        errors = [(a - b) ** 2 for a, b in zip(found, self.means, strict=True)]
        return {
            "estimator": name,
            "price": price,
            "mean": tau(found, self.means),
            "drop": tau(drops, self.drops) if any(drops) else None,
            "later_mean": tau(found[half:], self.means[half:]),
            "later_drop": tau(drops[half:], self.drops[half:]) if any(drops) else None,
            "error": round(statistics.fmean(errors) ** 0.5, 2),
        }


def means(balls: Sequence[Ball], values: Mapping[str, float]) -> list[float]:
    """The mean over each ball, its center included."""
    return [
        statistics.fmean(values[each.fingerprint] for each in (center, *near))
        for center, near in balls
    ]


def around(space: Space, centers: int) -> list[Ball]:
    """Random centers with all their neighbors."""
    return [
        (center, [n.architecture for n in space.neighbors(center) if n.architecture is not None])
        for center in space.samples(centers, "fresh")
    ]


def tau(a: Sequence[float], b: Sequence[float]) -> float:
    """Kendall's tau-b."""
    from scipy.stats import kendalltau  # not there where only the compiler's needs are

    return round(float(kendalltau(a, b).statistic), 3)
