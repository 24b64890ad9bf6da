"""MNIST and its kin: files in the idx format, written here."""

import gzip
import struct

import numpy as np
import pytest

from nasdsl.diagnostics import DiagnosticError
from tests.training.reading import code, cut, read


def idx_bytes(array):
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_folder(path, zipped, train=12, test=5):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", train), ("t10k", test)):
        arrays[part] = (
            rng.integers(0, 256, (count, 28, 28), np.uint8),
            rng.integers(0, 10, count).astype(np.uint8),
        )
        names = (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte")
        for name, array in zip(names, arrays[part], strict=True):
            data = idx_bytes(array)
            if zipped:
                (path / f"{name}.gz").write_bytes(gzip.compress(data))
            else:
                (path / name).write_bytes(data)
    return arrays


@pytest.mark.parametrize("zipped", [False, True])
def test_idx(tmp_path, zipped):
    arrays = idx_folder(tmp_path, zipped)
    raw = read("fashion_mnist", tmp_path)
    assert np.array_equal(raw.x, arrays["train"][0][:, None])
    assert np.array_equal(raw.y, arrays["train"][1])
    assert np.array_equal(raw.test[0][:, 0], arrays["t10k"][0])
    assert raw.classes[0] == "t-shirt"
    assert len(raw.classes) == 10


def test_idx_with_dots_in_the_names(tmp_path):
    idx_folder(tmp_path, False)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    assert read("mnist", tmp_path).x.shape == (12, 1, 28, 28)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda p: (p / "train-images-idx3-ubyte").unlink(), "NAS701"),
        (lambda p: cut(p / "train-images-idx3-ubyte", 100), "NAS702"),
        (lambda p: (p / "t10k-labels-idx1-ubyte").write_bytes(b"no idx file"), "NAS702"),
        (lambda p: (p / "t10k-labels-idx1-ubyte").write_bytes(b""), "NAS702"),
        (
            lambda p: (p / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(3, np.uint8))),
            "NAS702",
        ),
        (
            lambda p: (p / "train-labels-idx1-ubyte").write_bytes(
                idx_bytes(np.full(12, 10, np.uint8))
            ),
            "NAS702",
        ),
    ],
)
def test_idx_damaged(tmp_path, damage, expected):
    idx_folder(tmp_path, False)
    damage(tmp_path)
    with pytest.raises(DiagnosticError) as error:
        read("mnist", tmp_path)
    assert code(error) == expected


def test_idx_gzip_cut(tmp_path):
    idx_folder(tmp_path, True)
    cut(tmp_path / "train-images-idx3-ubyte.gz", 50)
    with pytest.raises(DiagnosticError) as error:
        read("mnist", tmp_path)
    assert code(error) == "NAS702"


def test_idx_without_its_folder(tmp_path):
    with pytest.raises(DiagnosticError) as error:
        read("fashion_mnist", tmp_path / "none")
    assert code(error) == "NAS701"
