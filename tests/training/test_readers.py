"""Readers against files written here in the official formats."""

import gzip
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nasdsl.diagnostics import DiagnosticError
from nasdsl.training.data import READERS, load, load_test
from nasdsl.training.data.cifar import load_pickle
from nasdsl.training.settings import DATA_ITEMS, DataSettings


def settings(source, **more):
    return DataSettings(**({"source": source, "path": "x", "train": None, "noise": 0.0} | more))


def read(source, path, **more):
    return READERS[source](Path(path), settings(source, **more))


def code(error):
    return error.value.diagnostics[0].code


def test_every_source_has_a_reader():
    # A table stands in the place of training: there are no images to read.
    assert set(READERS) == set(DATA_ITEMS) - {"table"}


# ---- idx ----------------------------------------------------------------------------------


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


def cut(path, n):
    path.write_bytes(path.read_bytes()[:-n])


# ---- CIFAR --------------------------------------------------------------------------------


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


# ---- npz ----------------------------------------------------------------------------------


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


# ---- image folders ------------------------------------------------------------------------


def picture(path, value, size=(6, 5), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def test_image_folder(tmp_path):
    picture(tmp_path / "dog" / "1.png", (1, 2, 3))
    picture(tmp_path / "cat" / "b.png", (4, 5, 6))
    picture(tmp_path / "cat" / "a.bmp", (7, 8, 9))
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    raw = read("images", tmp_path)
    assert raw.classes == ("cat", "dog")
    assert raw.x.shape == (3, 3, 5, 6)
    assert raw.x[:, :, 0, 0].tolist() == [[7, 8, 9], [4, 5, 6], [1, 2, 3]]
    assert raw.y.tolist() == [0, 0, 1]
    assert raw.test is None


def test_image_folder_in_parts_resized_and_grey(tmp_path):
    picture(tmp_path / "train" / "a" / "1.png", 100, (9, 7), "L")
    picture(tmp_path / "train" / "b" / "1.png", (200, 200, 200), (4, 4))
    picture(tmp_path / "test" / "b" / "1.png", 50, (5, 5), "L")
    raw = read("images", tmp_path, size=4, channels=1)
    assert raw.x.shape == (2, 1, 4, 4)
    assert raw.x[:, 0, 2, 2].tolist() == [100, 200]
    assert raw.test[1].tolist() == [1]


def test_image_folder_wrong(tmp_path):
    cases = {}
    cases["empty"] = tmp_path / "empty"
    cases["empty"].mkdir()
    (tmp_path / "bare" / "a").mkdir(parents=True)
    cases["bare"] = tmp_path / "bare"
    picture(tmp_path / "sizes" / "a" / "1.png", 0, (3, 3), "L")
    picture(tmp_path / "sizes" / "a" / "2.png", 0, (4, 3), "L")
    cases["sizes"] = tmp_path / "sizes"
    picture(tmp_path / "broken" / "a" / "1.png", 0, (30, 30), "L")
    cut(tmp_path / "broken" / "a" / "1.png", 30)
    cases["broken"] = tmp_path / "broken"
    picture(tmp_path / "extra" / "train" / "a" / "1.png", 0)
    picture(tmp_path / "extra" / "test" / "b" / "1.png", 0)
    cases["extra"] = tmp_path / "extra"
    messages = {}
    for name, path in cases.items():
        with pytest.raises(DiagnosticError) as error:
            read("images", path)
        assert code(error) == "NAS702", name
        messages[name] = str(error.value)
    assert "size=32" in messages["sizes"]
    assert "2.png" in messages["sizes"]
    with pytest.raises(DiagnosticError) as error:
        read("images", tmp_path / "none")
    assert code(error) == "NAS701"


# ---- digits, and real files ---------------------------------------------------------------


def test_digits_are_scikit_learn_s_with_noise():
    from sklearn.datasets import load_digits

    clean = READERS["digits"](None, DataSettings(noise=0.0))
    noisy = READERS["digits"](None, DataSettings(noise=0.3))
    other = READERS["digits"](None, DataSettings(noise=0.3, seed=1))
    assert np.array_equal(clean.x[:, 0] * 16, load_digits().images)
    noise = noisy.x - clean.x
    assert abs(noise.mean()) < 0.003
    assert abs(noise.std() - 0.3) < 0.003
    assert not np.array_equal(noisy.x, other.x)


def test_digits_are_the_same_where_the_file_is_not_found(monkeypatch):
    direct = READERS["digits"](None, DataSettings())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    through_the_library = READERS["digits"](None, DataSettings())
    assert np.array_equal(direct.x, through_the_library.x)
    assert np.array_equal(direct.y, through_the_library.y)


def test_digits_do_not_load_scikit_learn():
    code = (
        "import sys; from nasdsl.training.data import load; "
        "from nasdsl.training.settings import DataSettings; load(DataSettings()); "
        "print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def data_folder():
    given = os.environ.get("NASDSL_DATA")
    return Path(given) if given else Path(__file__).parents[2] / ".." / "shared" / "data"


def test_the_cifar_subset():
    path = data_folder() / "cifar10_subset_10k_2k.npz"
    if not path.is_file():
        pytest.skip("cifar10_subset_10k_2k.npz is not here: set NASDSL_DATA to its folder")
    given = DataSettings(source="npz", path=path.name, train=1000, validation=0.2, noise=0.0)
    data = load(given, path.parent)
    assert data.input.shape == (3, 32, 32)
    assert data.classes[0] == "airplane"
    assert (len(data.train), len(data.validation)) == (1000, 2000)
    assert torch.bincount(data.train.y).tolist() == [100] * 10
    assert torch.bincount(data.validation.y).tolist() == [200] * 10
    published = torch.tensor([0.49140, 0.48216, 0.44653])
    assert (data.mean.flatten() - published).abs().max() < 0.02
    assert len(load_test(given, path.parent)) == 2000


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


def test_idx_without_its_folder(tmp_path):
    with pytest.raises(DiagnosticError) as error:
        read("fashion_mnist", tmp_path / "none")
    assert code(error) == "NAS701"


def test_npz_of_truth_values_is_black_and_white(tmp_path):
    x = np.array([[[True, False], [False, True]]] * 4)
    raw = read("npz", npz(tmp_path, x_train=x, y_train=Y))
    assert raw.x[0, 0].tolist() == [[255, 0], [0, 255]]


def test_image_folders_whose_test_images_have_another_size(tmp_path):
    picture(tmp_path / "train" / "a" / "1.png", 0, (4, 4), "L")
    picture(tmp_path / "test" / "a" / "1.png", 0, (5, 5), "L")
    with pytest.raises(DiagnosticError, match="give one size"):
        read("images", tmp_path)


def test_an_image_that_is_a_bomb(tmp_path, monkeypatch):
    picture(tmp_path / "a" / "1.png", 0, (40, 40), "L")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DiagnosticError) as error:
        read("images", tmp_path)
    assert code(error) == "NAS702"
