"""Arrays of NumPy as data sets."""

import numpy as np
import pytest

from nasdsl.diagnostics import DiagnosticError
from tests.training.reading import code, read


def npz(path, **arrays):
    np.savez(path / "a.npz", **arrays)
    return path / "a.npz"


def test_npz_layouts(tmp_path):
    x = np.random.default_rng(2).integers(0, 256, (6, 8, 9, 3), np.uint8)
    y = np.arange(6) % 2
    last = read("npz", npz(tmp_path, x_train=x, y_train=y))
    first = read("npz", npz(tmp_path, x_train=x.transpose(0, 3, 1, 2), y_train=y))
    assert last.x.shape == (6, 3, 8, 9)
    assert np.array_equal(last.x, first.x)
    assert np.array_equal(last.x[2, 1], x[2, :, :, 1])
    grey = read("npz", npz(tmp_path, x_train=x[..., 0], y_train=y))
    assert np.array_equal(grey.x[:, 0], x[..., 0])
    told = read("npz", npz(tmp_path, x_train=x[:, :3], y_train=y), layout="nhwc")
    assert told.x.shape == (6, 3, 3, 9)


def test_npz_kinds(tmp_path):
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(6, 4))
    tokens = rng.integers(0, 50, (6, 7))
    sequence = rng.normal(size=(6, 5, 2)).astype(np.float32)
    labels = np.array([[0], [1], [2], [0], [1], [2]])
    assert read("npz", npz(tmp_path, x_train=vectors, y_train=labels)).y.tolist() == [0, 1, 2] * 2
    assert read("npz", npz(tmp_path, x_train=vectors, y_train=labels)).x.dtype == np.float32
    assert read("npz", npz(tmp_path, x_train=tokens, y_train=labels)).x.dtype == np.int64
    assert read("npz", npz(tmp_path, x_train=sequence, y_train=labels)).x.shape == (6, 5, 2)
    masks = rng.integers(0, 3, (6, 8, 8))
    images = rng.integers(0, 256, (6, 8, 8, 1), np.uint8)
    raw = read("npz", npz(tmp_path, x_train=images, y_train=masks))
    assert raw.y.shape == (6, 8, 8)
    assert raw.classes == ("0", "1", "2")
    raw = read("npz", npz(tmp_path, x_train=vectors, y_train=vectors[:, 0]))
    assert raw.y.dtype == np.float32
    assert raw.classes == ()


def test_npz_classes_count_the_test_set_and_the_names(tmp_path):
    x = np.zeros((4, 3), np.float32)
    raw = read(
        "npz",
        npz(tmp_path, x_train=x, y_train=np.array([0, 1, 0, 1]), x_test=x, y_test=np.arange(4)),
    )
    assert len(raw.classes) == 4
    raw = read(
        "npz", npz(tmp_path, x_train=x, y_train=np.zeros(4, int), class_names=np.array(["a", "b"]))
    )
    assert raw.classes == ("a", "b")


X = np.zeros((4, 3), np.float32)


Y = np.zeros(4, int)


@pytest.mark.parametrize(
    "arrays",
    [
        {"x_train": X},
        {"x": X, "y": Y},
        {"x_train": X, "y_train": Y[:3]},
        {"x_train": X, "y_train": Y - 1},
        {"x_train": X * np.nan, "y_train": Y},
        {"x_train": X, "y_train": np.full(4, np.inf)},
        {"x_train": X.astype(complex), "y_train": Y},
        {"x_train": np.zeros((4, 3, 3), np.int64), "y_train": Y},
        {"x_train": np.zeros((4, 1, 1, 1, 1), np.float32), "y_train": Y},
        {"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y},
        {"x_train": X, "y_train": Y + 3, "class_names": np.array(["a"])},
        {"x_train": X, "y_train": np.array([object()] * 4)},
    ],
)
def test_npz_wrong(tmp_path, arrays):
    path = npz(tmp_path, **arrays)
    with pytest.raises(DiagnosticError) as error:
        read("npz", path)
    assert code(error) == "NAS702"


def test_npz_damaged(tmp_path):
    path = npz(
        tmp_path, x_train=np.random.default_rng(0).normal(size=(50, 3)), y_train=np.zeros(50)
    )
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:200], whole[:-30], whole[:300] + b"\0" * 50 + whole[350:]):
        path.write_bytes(content)
        with pytest.raises(DiagnosticError) as error:
            read("npz", path)
        assert code(error) == "NAS702"
    np.save(path.with_suffix(".npy"), np.zeros(3))
    with pytest.raises(DiagnosticError) as error:
        read("npz", path.with_suffix(".npy"))
    assert code(error) == "NAS702"
    with pytest.raises(DiagnosticError) as error:
        read("npz", tmp_path / "none.npz")
    assert code(error) == "NAS701"


def test_npz_of_truth_values_is_black_and_white(tmp_path):
    x = np.array([[[True, False], [False, True]]] * 4)
    raw = read("npz", npz(tmp_path, x_train=x, y_train=Y))
    assert raw.x[0, 0].tolist() == [[255, 0], [0, 255]]
