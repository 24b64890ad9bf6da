"""CIFAR: files in its binary and its Python format, written here."""

import os
import pickle

import numpy as np
import pytest

from nasdsl.diagnostics import DiagnosticError
from nasdsl.training.data.cifar import load_pickle
from tests.training.reading import code, cut, read


def cifar_arrays(hundred):
    rng = np.random.default_rng(1)
    names = ["train", "test"] if hundred else [f"data_batch_{i}" for i in range(1, 6)]
    names = names if hundred else [*names, "test_batch"]
    top = 100 if hundred else 10
    return {
        name: (
            rng.integers(0, 256, (4, 3, 32, 32), np.uint8),
            rng.integers(0, top, 4),
            rng.integers(0, 20, 4),
        )
        for name in names
    }


def write_cifar(path, hundred, python, protocol=2):
    arrays = cifar_arrays(hundred)
    for name, (x, y, coarse) in arrays.items():
        flat = x.reshape(4, -1)
        if python:
            content = {b"data": flat, b"batch_label": b"one of five"}
            content |= (
                {b"fine_labels": y.tolist(), b"coarse_labels": coarse.tolist()}
                if hundred
                else {b"labels": y.tolist()}
            )
            (path / name).write_bytes(pickle.dumps(content, protocol))
        else:
            heads = [coarse, y] if hundred else [y]
            records = np.concatenate([*(h[:, None].astype(np.uint8) for h in heads), flat], 1)
            (path / f"{name}.bin").write_bytes(records.tobytes())
    if python:
        key = b"fine_label_names" if hundred else b"label_names"
        names = [f"class {i}".encode() for i in range(100 if hundred else 10)]
        (path / ("meta" if hundred else "batches.meta")).write_bytes(
            pickle.dumps({key: names}, protocol)
        )
    return arrays


@pytest.mark.parametrize("hundred", [False, True])
@pytest.mark.parametrize("python", [False, True])
def test_cifar(tmp_path, hundred, python):
    arrays = write_cifar(tmp_path, hundred, python)
    raw = read("cifar100" if hundred else "cifar10", tmp_path)
    *train, test = arrays.values()
    assert np.array_equal(raw.x, np.concatenate([x for x, _, _ in train]))
    assert np.array_equal(raw.y, np.concatenate([y for _, y, _ in train]))
    assert np.array_equal(raw.test[0], test[0])
    assert np.array_equal(raw.test[1], test[1])
    assert len(raw.classes) == (100 if hundred else 10)


@pytest.mark.parametrize(
    ("source", "folder", "python"),
    [
        ("cifar10", "cifar-10-batches-py", True),
        ("cifar10", "cifar-10-batches-bin", False),
        ("cifar100", "cifar-100-python", True),
        ("cifar100", "cifar-100-binary", False),
    ],
)
def test_cifar_in_the_folder_that_its_archive_makes(tmp_path, source, folder, python):
    (tmp_path / folder).mkdir()
    write_cifar(tmp_path / folder, source == "cifar100", python)
    assert read(source, tmp_path).x.shape[1:] == (3, 32, 32)


# What Python 2 and numpy 1 wrote in 2009 for {'labels': [3], 'data': array of two bytes}.
PYTHON_2 = (
    b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03K\x03aU\x04dataq\x04"
    b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07("
    b"K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\t(K\x03U\x01|NNNJ\xff\xff\xff"
    b"\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x07\xfftbu."
)


def test_a_pickle_of_python_2(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(PYTHON_2)
    content = load_pickle(path)
    assert content["labels"] == [3]
    assert content["data"].tolist() == [[7, 255]]


class Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def test_a_pickle_runs_no_code(tmp_path):
    target = tmp_path / "touched"
    write_cifar(tmp_path, False, True)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({"data": Attack(target)}))
    with pytest.raises(DiagnosticError, match="not plain data"):
        read("cifar10", tmp_path)
    assert not target.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04garbage",
        pickle.dumps([1, 2]),
        pickle.dumps({"data": "text", "labels": []}),
        pickle.dumps({"data": np.zeros((2, 7), np.uint8), "labels": [1, 2]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 77]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8)}),
        pickle.dumps({"data": np.zeros((2, 3072), np.float64), "labels": [1, 2]}),
    ],
)
def test_cifar_pickle_damaged(tmp_path, content):
    write_cifar(tmp_path, False, True)
    (tmp_path / "data_batch_2").write_bytes(content)
    with pytest.raises(DiagnosticError) as error:
        read("cifar10", tmp_path)
    assert code(error) == "NAS702"


def test_cifar_binary_damaged(tmp_path):
    write_cifar(tmp_path, False, False)
    cut(tmp_path / "data_batch_3.bin", 1)
    with pytest.raises(DiagnosticError, match="whole number of records"):
        read("cifar10", tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(DiagnosticError) as error:
        read("cifar10", tmp_path)
    assert code(error) == "NAS701"


def test_cifar_missing_says_what_to_put_there(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DiagnosticError) as error:
            read("cifar10", folder)
        assert code(error) == "NAS701"
        assert "cifar-10-batches-bin" in str(error.value)


def test_cifar_names_that_are_damaged_cost_the_names_only(tmp_path):
    write_cifar(tmp_path, False, False)
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\n")
    assert read("cifar10", tmp_path).classes == tuple("0123456789")
    (tmp_path / "batches.meta.txt").write_text("\n".join(f"c{i}" for i in range(10)))
    assert read("cifar10", tmp_path).classes[3] == "c3"


def test_cifar_python_with_a_batch_missing(tmp_path):
    write_cifar(tmp_path, False, True)
    (tmp_path / "data_batch_4").unlink()
    with pytest.raises(DiagnosticError) as error:
        read("cifar10", tmp_path)
    assert code(error) == "NAS701"


def test_old_pickles_may_name_scalars(tmp_path):
    path = tmp_path / "scalar"
    path.write_bytes(pickle.dumps({"n": np.float64(2.5)}))
    assert load_pickle(path)["n"] == 2.5
