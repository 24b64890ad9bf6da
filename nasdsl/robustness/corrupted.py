"""Errors of a network on corrupted images: by corruption and severity, and their mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.robustness.attacked import limits, pixels
from nasdsl.robustness.corruptions import SEVERITIES, STANDARD, corrupt, unfit
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.loop import PREDICTION_BATCH, predict


@dataclass(frozen=True)
class CorruptionReport:
    """Errors in percent.

    Attributes:
        clean: error without corruption; ``nan`` where it was not measured.
        errors: by corruption, one for each severity asked for, in the order of ``severities``.
        severities: that were asked for.
        samples: images behind each error.
    """

    clean: float
    errors: Mapping[str, tuple[float, ...]]
    severities: tuple[int, ...]
    samples: int

    @property
    def mean(self) -> Mapping[str, float]:
        """The error of each corruption, averaged over severities."""
        return {name: math.fsum(found) / len(found) for name, found in self.errors.items()}

    @property
    def mce(self) -> float:
        """The mean corruption error: over severities, then over corruptions; not normalized."""
        return math.fsum(self.mean.values()) / len(self.errors)

    def relative_to(self, baseline: CorruptionReport) -> float:
        """The mean corruption error as ImageNet-C has it, in percent of a baseline's.

        Each corruption's error, summed over severities, is divided by the baseline's; the
        quotients are averaged. 100 is as good as the baseline, less is better.

        Raises:
            ValueError: other corruptions or severities, or a baseline that makes no error.
        """
        self._same(baseline)
        if not all(sum(found) for found in baseline.errors.values()):
            raise ValueError("the baseline makes no error under some corruption")
        shares = [sum(own) / sum(baseline.errors[name]) for name, own in self.errors.items()]
        return 100 * math.fsum(shares) / len(shares)

    def relative_rise(self, baseline: CorruptionReport) -> float:
        """The relative mean corruption error: rises over the clean error, in percent of the
        baseline's rises.

        Raises:
            ValueError: as :meth:`relative_to`, or a baseline that no corruption makes worse.
        """
        self._same(baseline)
        shares = []
        for name, own in self.errors.items():
            theirs = sum(baseline.errors[name]) - len(own) * baseline.clean
            if not theirs > 0:
                raise ValueError(f"'{name}' does not raise the baseline's error")
            shares.append((sum(own) - len(own) * self.clean) / theirs)
        return 100 * math.fsum(shares) / len(shares)

    def _same(self, other: CorruptionReport) -> None:
        if set(self.errors) != set(other.errors) or self.severities != other.severities:
            raise ValueError("the baseline was measured on other corruptions or severities")

    def rows(self) -> list[dict[str, Any]]:
        """A table: a row for each corruption with the error at each severity and their mean."""
        return [
            {"corruption": name, **{f"s{s}": e for s, e in zip(self.severities, found, strict=True)},
             "mean": self.mean[name]}
            for name, found in self.errors.items()
        ]  # fmt: skip


def evaluate_corruptions(
    module: nn.Module,
    data: Dataset,
    names: Sequence[str] = tuple(STANDARD),
    severities: Sequence[int] = SEVERITIES,
    split: Split | None = None,
    seed: int = 0,
    batch: int = PREDICTION_BATCH,
    samples: int | None = None,
) -> CorruptionReport:
    """Errors of a classifier on images that are corrupted here, at the size at which it sees them.

    Args:
        module: trained, on the device of the data.
        data: says how samples are scaled and normalized.
        names: of corruptions; the standard fifteen by default.
        severities: of 1 to 5.
        split: which samples; the validation samples by default.
        seed: of the corruptions; images are numbered as in the split.
        batch: images predicted at once; it changes nothing beyond rounding.
        samples: take the first so many only.

    Raises:
        ValueError: data that are not images with classes, or cannot be corrupted.
    """
    split = split or data.validation
    count = len(split) if samples is None else min(samples, len(split))
    y = split.y[:count]
    check(data)
    images = as_bytes(data, split.x[:count])

    def error(x: Tensor) -> float:
        return 100.0 - task.accuracy(predict(module, data, as_stored(data, x), batch), y)

    errors = {
        name: tuple(error(corrupt(images, name, severity, seed)) for severity in severities)
        for name in names
    }
    return CorruptionReport(error(images), errors, tuple(severities), count)


def evaluate_published(
    module: nn.Module,
    data: Dataset,
    read: Callable[[str, int], Split],
    names: Sequence[str] = tuple(STANDARD),
    severities: Sequence[int] = SEVERITIES,
    clean: Split | None = None,
    batch: int = PREDICTION_BATCH,
) -> CorruptionReport:
    """Errors on images that were corrupted elsewhere, as the CIFAR-10-C files.

    Args:
        module: trained, on the device of the data.
        data: says how samples are scaled and normalized.
        read: images and classes of one corruption at one severity, as
            :func:`nasdsl.robustness.published.reader` gives it.
        names: of corruptions.
        severities: of 1 to 5.
        clean: the images without corruption; the clean error is ``nan`` without them.
        batch: images predicted at once.
    """

    def error(split: Split) -> float:
        split = split.to(data.device)
        stored = as_stored(data, split.x) if split.x.dtype == torch.uint8 else split.x
        return 100.0 - task.accuracy(predict(module, data, stored, batch), split.y)

    errors: dict[str, tuple[float, ...]] = {}
    count = 0
    for name in names:
        found = []
        for severity in severities:
            split = read(name, severity)
            count = len(split)
            found.append(error(split))
        errors[name] = tuple(found)
    plain = math.nan if clean is None else error(clean)
    return CorruptionReport(plain, errors, tuple(severities), count)


def check(data: Dataset) -> None:
    """Raises ValueError where data cannot be corrupted, or have no classes."""
    if data.kind != "classes":
        raise ValueError("errors on corrupted images need classes")
    reason = unfit(data.input.shape)
    if reason:
        raise ValueError(reason)


def as_bytes(data: Dataset, x: Tensor) -> Tensor:
    """Samples as they are stored, as bytes; float images are rounded to 256 levels."""
    if x.dtype == torch.uint8:
        return x
    return (pixels(data, x) * 255).round().to(torch.uint8)


def as_stored(data: Dataset, x: Tensor) -> Tensor:
    """Bytes in the type and units in which the data are stored."""
    if data.train.x.dtype == torch.uint8:
        return x
    low, high = limits(data)
    return x.float() / 255 * (high - low) + low
