"""numpy archives: x_train, y_train and, where there are, x_test, y_test, class_names."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from nasdsl.diagnostics import Span
from nasdsl.training.data.reading import Array, Raw, class_names, missing, unreadable
from nasdsl.training.settings import DataSettings

CHANNELS = (1, 3, 4)


def read(path: Path | None, settings: DataSettings) -> Raw:
    """Images, sequences, vectors or tokens with labels, masks or float targets.

    uint8 arrays are images: [N, H, W] grey, [N, H, W, C] or [N, C, H, W]. Float arrays are
    images with four axes, sequences [N, T, F] with three, vectors with two. Other whole
    numbers are tokens [N, T].
    """
    assert path is not None
    span = settings.span
    if not path.is_file():
        raise missing(path, "file", span)
    try:
        # Opened here, because numpy leaves the file open where it is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = ("x_train", "y_train", "x_test", "y_test", "class_names")
            found = {name: archive[name] for name in names if name in archive.files}
            held = ", ".join(archive.files)
    except (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise unreadable(path, f"not a numpy archive of plain arrays ({error})", span) from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise unreadable(path, f"a damaged archive ({error})", span) from error
    for name in ("x_train", "y_train"):
        if name not in found:
            raise unreadable(path, f"no array '{name}'; it holds {held or 'nothing'}", span)
    x, y = _pair(path, "train", found, settings)
    test = _pair(path, "test", found, settings) if {"x_test", "y_test"} <= set(found) else None
    if test is not None and (test[0].shape[1:] != x.shape[1:] or test[0].dtype != x.dtype):
        raise unreadable(path, f"x_test is {test[0].shape[1:]}, x_train {x.shape[1:]}", span)
    if y.dtype.kind == "f":
        return Raw(x, y, (), test)
    given = tuple(_text(name) for name in found.get("class_names", np.array([])).ravel())
    top = int(max(part.max(initial=0) for part in (y, *(test[1:] if test else ()))))
    if given and len(given) <= top:
        raise unreadable(path, f"{len(given)} class names for labels up to {top}", span)
    return Raw(x, y, class_names(np.array([top]), given), test)


def _text(name: object) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _pair(
    path: Path, part: str, found: dict[str, Array], settings: DataSettings
) -> tuple[Array, Array]:
    x = _samples(path, f"x_{part}", found[f"x_{part}"], settings)
    y = _targets(path, f"y_{part}", found[f"y_{part}"], settings.span)
    if len(x) != len(y):
        raise unreadable(
            path, f"{len(x)} samples in x_{part}, {len(y)} targets in y_{part}", settings.span
        )
    return x, y


def _samples(path: Path, name: str, x: Array, settings: DataSettings) -> Array:
    span = settings.span
    if x.dtype == np.bool_:
        x = x.astype(np.uint8) * np.uint8(255)
    if x.dtype.kind == "f":
        x = x.astype(np.float32)
        if not np.isfinite(x).all():
            raise unreadable(path, f"{name} holds values that are not finite", span)
    elif x.dtype != np.uint8:
        if x.dtype.kind not in "iu":
            raise unreadable(path, f"{name} is of type {x.dtype}, expected numbers", span)
        if x.ndim == 2:
            return np.ascontiguousarray(x, np.int64)
        raise unreadable(
            path, f"{name} is of type {x.dtype}; images are uint8 (0..255) or float", span
        )
    if x.dtype == np.uint8 and x.ndim == 3:
        x = x[:, None]
    if x.ndim not in (2, 3, 4):
        raise unreadable(path, f"{name} has {x.ndim} axes, expected 2 to 4", span)
    if x.dtype == np.uint8 and x.ndim == 2:
        x = x.astype(np.float32) / np.float32(255)
    if x.ndim == 4 and found_last(x, settings.layout):
        x = x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x)


def found_last(x: Array, layout: str) -> bool:
    """Whether the channels of images stand last: as told, or where 1, 3 or 4 of them stand."""
    if layout != "auto":
        return layout == "nhwc"
    return x.shape[3] in CHANNELS and x.shape[1] not in CHANNELS


def _targets(path: Path, name: str, y: Array, span: Span | None) -> Array:
    if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "iu":
        y = y[:, 0]
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            raise unreadable(path, f"{name} holds values that are not finite", span)
        return np.ascontiguousarray(y, np.float32)
    if y.dtype.kind not in "iub" or y.ndim not in (1, 3):
        raise unreadable(
            path,
            f"{name} is {y.dtype} with {y.ndim} axes; expected labels [N], masks [N, H, W], "
            "or float targets",
            span,
        )
    y = np.ascontiguousarray(y, np.int64)
    if y.size and y.min() < 0:
        raise unreadable(path, f"{name} holds the label {y.min()}, below 0", span)
    return y
