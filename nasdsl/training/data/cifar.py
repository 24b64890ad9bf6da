"""CIFAR-10 and CIFAR-100 in the official binary and Python files.

The Python files are pickles; they are read by an unpickler that can build numpy arrays and
plain data and nothing else, so that a file from anywhere can be opened safely.
"""

from __future__ import annotations

import codecs
import importlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from nasdsl.diagnostics import Span
from nasdsl.training.data.reading import Array, Raw, missing, unreadable
from nasdsl.training.settings import DataSettings

PIXELS = 3 * 32 * 32


def read(path: Path | None, settings: DataSettings) -> Raw:
    """Images [N, 3, 32, 32] in uint8, 10 classes or 100 fine ones, with the test set."""
    assert path is not None
    hundred = settings.source == "cifar100"
    first = "train" if hundred else "data_batch_1"
    folders = (
        ("cifar-100-python", "cifar-100-binary")
        if hundred
        else ("cifar-10-batches-py", "cifar-10-batches-bin")
    )
    hint = f"expected {first} or {first}.bin there, or in a subfolder {' or '.join(folders)}"
    if not path.is_dir():
        raise missing(path, "folder", settings.span, hint)
    for folder in (path, *(path / name for name in folders)):
        if (folder / f"{first}.bin").is_file():
            return _binary(folder, hundred, settings.span)
        if (folder / first).is_file():
            return _python(folder, hundred, settings.span)
    raise missing(path / first, "file", settings.span, hint)


def _parts(hundred: bool) -> tuple[list[str], str]:
    if hundred:
        return ["train"], "test"
    return [f"data_batch_{i}" for i in range(1, 6)], "test_batch"


def _binary(folder: Path, hundred: bool, span: Span | None) -> Raw:
    """Records of one label byte (CIFAR-100: coarse, then fine) and 3,072 pixels."""
    train, test = _parts(hundred)
    head = 2 if hundred else 1

    def one(name: str) -> tuple[Array, Array]:
        path = folder / f"{name}.bin"
        if not path.is_file():
            raise missing(path, "file", span)
        data = np.frombuffer(path.read_bytes(), np.uint8)
        if not len(data) or len(data) % (head + PIXELS):
            raise unreadable(
                path,
                f"its {len(data)} bytes are not a whole number of records of {head + PIXELS}",
                span,
            )
        records = data.reshape(-1, head + PIXELS)
        y = records[:, head - 1].astype(np.int64)
        _labels(y, hundred, path, span)
        return records[:, head:].reshape(-1, 3, 32, 32).copy(), y

    names = folder / ("fine_label_names.txt" if hundred else "batches.meta.txt")
    classes: tuple[str, ...] = ()
    if names.is_file():
        classes = tuple(names.read_text("utf-8", "replace").split())
    return _joined([one(name) for name in train], one(test), classes, hundred)


def _python(folder: Path, hundred: bool, span: Span | None) -> Raw:
    """Dictionaries with ``data`` [N, 3072] and ``labels`` or ``fine_labels``."""
    train, test = _parts(hundred)

    def one(name: str) -> tuple[Array, Array]:
        path = folder / name
        if not path.is_file():
            raise missing(path, "file", span)
        content = load_pickle(path, span)
        x = content.get("data")
        y = content.get("fine_labels" if hundred else "labels")
        if not isinstance(x, np.ndarray) or x.dtype != np.uint8 or x.ndim != 2:
            raise unreadable(path, "no 'data' of bytes with two axes", span)
        if x.shape[1] != PIXELS:
            raise unreadable(path, f"rows of {x.shape[1]} values, expected {PIXELS}", span)
        labels = np.asarray(y)
        if labels.shape != (len(x),) or labels.dtype.kind not in "iu":
            raise unreadable(path, f"no list of {len(x)} labels", span)
        _labels(labels, hundred, path, span)
        return np.ascontiguousarray(x).reshape(-1, 3, 32, 32), labels.astype(np.int64)

    meta = folder / ("meta" if hundred else "batches.meta")
    classes: tuple[str, ...] = ()
    if meta.is_file():
        names = load_pickle(meta, span).get("fine_label_names" if hundred else "label_names")
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            classes = tuple(names)
    return _joined([one(name) for name in train], one(test), classes, hundred)


def _labels(y: Array, hundred: bool, path: Path, span: Span | None) -> None:
    top = 99 if hundred else 9
    if y.size and (y.min() < 0 or y.max() > top):
        raise unreadable(path, f"labels {y.min()}..{y.max()}, expected 0..{top}", span)


def _joined(
    parts: list[tuple[Array, Array]],
    test: tuple[Array, Array],
    classes: tuple[str, ...],
    hundred: bool,
) -> Raw:
    count = 100 if hundred else 10
    if len(classes) != count:  # a names file that is absent or damaged costs the names only
        classes = tuple(str(i) for i in range(count))
    x = np.concatenate([x for x, _ in parts])
    return Raw(x, np.concatenate([y for _, y in parts]), classes, test)


class _Restricted(pickle.Unpickler):
    """Builds numpy arrays, bytes, texts, numbers, lists and dictionaries, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return codecs.encode
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        arrays = ("numpy.core.multiarray", "numpy._core.multiarray")
        if module in arrays and name in ("_reconstruct", "scalar"):
            # The public place of this moved with numpy 2, old pickles name the old one.
            for place in reversed(arrays):
                try:
                    return getattr(importlib.import_module(place), name)
                except ImportError:
                    continue
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not plain data")


def load_pickle(path: Path, span: Span | None = None) -> dict[str, Any]:
    """A pickled dictionary of plain data and arrays, keys as texts.

    Anything else in the file, code above all, ends in a diagnostic before it is run.
    """
    try:
        content = _Restricted(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except Exception as error:  # a damaged pickle raises whatever it runs into
        raise unreadable(path, f"not a pickle of arrays and plain data: {error}", span) from error
    if not isinstance(content, dict):
        raise unreadable(path, "its content is not a dictionary", span)
    return {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value
        for key, value in content.items()
    }
