"""The idx format of MNIST and Fashion-MNIST, gzip-compressed or not.

Format: two zero bytes, a type byte (8 = unsigned byte), the number of axes, each axis as a
big-endian 32-bit number, then the values (LeCun, Cortes, Burges: the MNIST database).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from nasdsl.diagnostics import Span
from nasdsl.training.data.reading import Array, Raw, missing, unreadable
from nasdsl.training.settings import DataSettings

FASHION = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def read(path: Path | None, settings: DataSettings) -> Raw:
    """Images [N, 1, H, W] in uint8, classes 0..9, with the published test set."""
    assert path is not None
    if not path.is_dir():
        raise missing(path, "folder", settings.span, _HINT)
    parts = []
    for part in ("train", "t10k"):
        x, images = _file(path, f"{part}-images", 3, settings.span)
        y, labels = _file(path, f"{part}-labels", 1, settings.span)
        if len(x) != len(y):
            raise unreadable(
                labels, f"{len(y)} labels for the {len(x)} images of {images.name}", settings.span
            )
        if y.size and y.max() > 9:
            raise unreadable(labels, f"a label of {y.max()}, expected 0..9", settings.span)
        parts.append((x[:, None], y.astype(np.int64)))
    names = FASHION if settings.source == "fashion_mnist" else tuple("0123456789")
    return Raw(*parts[0], names, parts[1])


_HINT = (
    "expected the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, "
    "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each with .gz or without"
)


def _file(folder: Path, stem: str, axes: int, span: Span | None) -> tuple[Array, Path]:
    # Copies in the wild write a dot in place of the last dash.
    names = [f"{stem}{dash}idx{axes}-ubyte{end}" for dash in "-." for end in ("", ".gz")]
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise missing(folder / names[0], "file", span, _HINT)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, str(error), span) from error
    if len(data) < 4 + 4 * axes or data[:4] != bytes([0, 0, 8, axes]):
        raise unreadable(path, f"not an idx file of unsigned bytes with {axes} axes", span)
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    values = len(data) - 4 - 4 * axes
    if values != math.prod(shape):
        raise unreadable(
            path, f"{values} values where its header {shape} announces {math.prod(shape)}", span
        )
    # frombuffer is read-only, and torch warns about such arrays: copy.
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape).copy(), path
