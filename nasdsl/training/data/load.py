"""From settings to data on the device: read, split, measure, keep."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from nasdsl.diagnostics import Note, problem
from nasdsl.training.data import cifar, digits, idx, images, npz
from nasdsl.training.data.dataset import Dataset, Split, statistics
from nasdsl.training.data.reading import Array, Raw
from nasdsl.training.data.split import amount, draw
from nasdsl.training.settings import DataSettings

Reader = Callable[[Path | None, DataSettings], Raw]

READERS: Mapping[str, Reader] = {
    "digits": digits.read,
    "fashion_mnist": idx.read,
    "mnist": idx.read,
    "cifar10": cifar.read,
    "cifar100": cifar.read,
    "npz": npz.read,
    "images": images.read,
}

_KEPT = 2
_cache: OrderedDict[tuple[object, ...], Dataset] = OrderedDict()


def load(
    settings: DataSettings,
    base_folder: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> Dataset:
    """Training and validation samples on a device. The test samples are read and dropped.

    The last two data sets are kept in the process, so that a worker reads its data once.

    Args:
        settings: as read from the text.
        base_folder: what relative paths are relative to; the working folder by default.
        device: where the samples shall lie.

    Raises:
        DiagnosticError: NAS701 missing, NAS702 unreadable, NAS704 too few samples.
    """
    path = _path(settings, base_folder)
    key = (settings, str(path), _changed(path), str(torch.device(device)))
    found = _cache.get(key)
    if found is None:
        found = _load(settings, path, device)
        _cache[key] = found
    _cache.move_to_end(key)
    while len(_cache) > _KEPT:
        _cache.popitem(last=False)
    return found


def load_test(
    settings: DataSettings,
    base_folder: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> Split:
    """The test samples, for the final report alone; ``Dataset.inputs`` normalizes them.

    Raises:
        DiagnosticError: as :func:`load`.
    """
    raw = READERS[settings.source](_path(settings, base_folder), settings)
    if raw.test is not None:
        return _tensors(*raw.test).to(device)
    held, _ = _held_out(raw, settings)
    return _tensors(raw.x[held], raw.y[held]).to(device)


def _path(settings: DataSettings, base_folder: str | Path | None) -> Path | None:
    if settings.path is None:
        return None
    return Path(base_folder or ".") / Path(settings.path).expanduser()


def _changed(path: Path | None) -> int | None:
    try:
        return None if path is None else path.stat().st_mtime_ns
    except OSError:
        return None  # the reader says what is wrong


def _held_out(raw: Raw, settings: DataSettings) -> tuple[Array, Array]:
    """Indices of the test samples and of the others. Drawn first, by a key of its own: what
    the other splits are told does not move it."""
    everything = np.arange(len(raw.x))
    if raw.test is not None:
        return everything[:0], everything
    count = amount(settings.test, len(everything))
    _enough(settings, "test", count, len(everything))
    return draw(raw.y, everything, count, "test", settings.seed)


def _load(settings: DataSettings, path: Path | None, device: torch.device | str) -> Dataset:
    raw = READERS[settings.source](path, settings)
    _, rest = _held_out(raw, settings)
    count = amount(settings.validation, len(rest))
    _enough(settings, "validation", count, len(rest))
    validation, rest = draw(raw.y, rest, count, "validation", settings.seed)
    if settings.train is not None and settings.train < len(rest):
        rest, _ = draw(raw.y, rest, settings.train, "train", settings.seed)
    train = _tensors(raw.x[rest], raw.y[rest]).to(device)
    mean, std = statistics(train.x)
    held = _tensors(raw.x[validation], raw.y[validation]).to(device)
    return Dataset(settings.source, train, held, raw.classes, mean, std)


def _enough(settings: DataSettings, name: str, count: int, of: int) -> None:
    if 0 < count < of:
        return
    raise problem(
        "NAS704",
        f"'{settings.source}' has {of} samples left, and '{name}' asks for {count} of them",
        settings.span,
        Note(f"'{name}' is a number of samples, or a fraction below 1; some must be left"),
    )


def _tensors(x: Array, y: Array) -> Split:
    return Split(
        torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(y))
    )
