"""The digits, the table of readers, and the real files where they are there."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nasdsl.training.data import READERS, load, load_test
from nasdsl.training.settings import DATA_ITEMS, DataSettings


def test_every_source_has_a_reader():
    # A table stands in the place of training: there are no images to read.
    assert set(READERS) == set(DATA_ITEMS) - {"table"}


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
