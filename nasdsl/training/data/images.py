"""Folders of images: one subfolder a class, or such folders in ``train`` and ``test``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasdsl.diagnostics import Span
from nasdsl.training.data.reading import Array, Raw, missing, unreadable
from nasdsl.training.settings import DataSettings

ENDS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff"}


def read(path: Path | None, settings: DataSettings) -> Raw:
    """Images [N, C, H, W] in uint8, classes by the subfolders' names in sorted order."""
    assert path is not None
    if not path.is_dir():
        raise missing(path, "folder", settings.span)
    parts = (path / "train").is_dir()
    train = path / "train" if parts else path
    classes = _folders(train)
    if not classes:
        raise unreadable(
            train, "no subfolders", settings.span, "put the images of each class in one subfolder"
        )
    x, y = _read(train, classes, settings)
    test = None
    if parts and (path / "test").is_dir():
        unknown = sorted(set(_folders(path / "test")) - set(classes))
        if unknown:
            raise unreadable(
                path / "test", f"class '{unknown[0]}' is not among those of train", settings.span
            )
        test = _read(path / "test", classes, settings)
        if test[0].shape[1:] != x.shape[1:]:
            raise _sizes(path / "test", x.shape[2:], test[0].shape[2:], settings.span)
    return Raw(x, y, classes, test)


def _folders(path: Path) -> tuple[str, ...]:
    return tuple(
        sorted(p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    )


def _read(folder: Path, classes: tuple[str, ...], settings: DataSettings) -> tuple[Array, Array]:
    from PIL import Image, UnidentifiedImageError

    arrays: list[Array] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).glob("*")):
            if path.suffix.lower() not in ENDS:
                continue
            try:
                with Image.open(path) as image:
                    picture = image.convert("L" if settings.channels == 1 else "RGB")
                    if settings.size is not None and picture.size != (settings.size,) * 2:
                        picture = picture.resize(
                            (settings.size, settings.size), Image.Resampling.BILINEAR
                        )
                    array = np.asarray(picture)
            except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
                raise unreadable(path, f"not an image ({error})", settings.span) from error
            except Image.DecompressionBombError as error:
                raise unreadable(path, str(error), settings.span) from error
            array = array[None] if settings.channels == 1 else array.transpose(2, 0, 1)
            if arrays and array.shape != arrays[0].shape:
                raise _sizes(path, arrays[0].shape[1:], array.shape[1:], settings.span)
            arrays.append(array)
            labels.append(label)
    if not arrays:
        raise unreadable(folder, "no images in its subfolders", settings.span)
    return np.stack(arrays), np.array(labels, np.int64)


def _sizes(
    path: Path, first: tuple[int, ...], other: tuple[int, ...], span: Span | None
) -> Exception:
    return unreadable(
        path,
        f"its images are {other[0]}x{other[1]}, others {first[0]}x{first[1]}",
        span,
        'give one size, as in images("folder", size=32)',
    )
