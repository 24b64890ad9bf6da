"""The files of CIFAR-10-C and CIFAR-100-C, read as they are published.

A folder holds ``labels.npy`` and one ``<corruption>.npy`` each, uint8 [50000, 32, 32, 3]: the
10,000 test images at severity 1, then again at 2, up to 5. Any number of images that is the same
for each severity is read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from nasdsl.robustness.corruptions import CORRUPTIONS, SEVERITIES
from nasdsl.training.data.dataset import Split
from nasdsl.training.data.reading import Array, missing, unreadable


def reader(folder: str | Path) -> Callable[[str, int], Split]:
    """A function from a corruption's name and a severity to images [N, 3, H, W] and classes.

    Files are opened when they are asked for, and only the severity's part is read.

    Raises:
        DiagnosticError: by the function: NAS701 a file is missing, NAS702 it is not as described.
    """
    folder = Path(folder)

    @lru_cache(maxsize=1)
    def labels() -> Array:
        found = _opened(folder / "labels.npy")
        if found.ndim != 1 or found.dtype.kind not in "iu" or len(found) % len(SEVERITIES):
            raise unreadable(folder / "labels.npy", "not five times as many labels as images", None)
        return found

    def read(name: str, severity: int) -> Split:
        path = folder / f"{name}.npy"
        images = _opened(path)
        if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
            raise unreadable(path, "no bytes of shape [N, H, W, 1 or 3]", None)
        if len(images) != len(labels()):
            raise unreadable(path, f"{len(images)} images, but {len(labels())} labels", None)
        count = len(images) // len(SEVERITIES)
        part = slice((severity - 1) * count, severity * count)
        x = np.array(images[part].transpose(0, 3, 1, 2), order="C")
        return Split(torch.from_numpy(x), torch.from_numpy(labels()[part].astype(np.int64)))

    return read


def names(folder: str | Path) -> tuple[str, ...]:
    """The corruptions of which a folder holds a file, in the table's order."""
    return tuple(name for name in CORRUPTIONS if (Path(folder) / f"{name}.npy").is_file())


def _opened(path: Path) -> Array:
    if not path.is_file():
        raise missing(path, "file", None)
    try:
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise unreadable(path, f"not a numpy array ({error})", None) from error
    return found
