"""scikit-learn's digits: 1,797 grey images of 8x8, embedded, the default data.

With all of them any small network reaches 98.9 % and none can be told from another. Few
training images and additive noise make them hard enough to rank networks: with the defaults
(600 images, noise 0.25; 12 epochs of SAM) small networks reach from 23 % (178 parameters) over
58 % (770) and 76 % (1,954) to 87 % (7,354) and 90 % (28,522), and the accuracies of the sound
ones have a standard deviation of 1 % to 1.5 % over seeds.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from nasdsl.seeding import derive
from nasdsl.training.data.reading import Array, Raw
from nasdsl.training.settings import DataSettings


def read(path: Path | None, settings: DataSettings) -> Raw:
    """Images [N, 1, 8, 8] in float (0..1, plus noise), classes 0..9."""
    table = _table()
    x = (table[:, :64].reshape(-1, 1, 8, 8) / 16.0).astype(np.float32)
    if settings.noise:
        random = np.random.default_rng(derive("digits noise", settings.seed))
        x += random.normal(0.0, settings.noise, x.shape).astype(np.float32)
    return Raw(x, table[:, 64].astype(np.int64), tuple("0123456789"))


def _table() -> Array:
    """One row an image: 64 pixels of 0..16 and the digit.

    Importing scikit-learn takes a second, as long as training a network, and every worker
    process would pay it: its file is read in place (5 ms) where it is found.
    """
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or []:
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            return np.loadtxt(file, delimiter=",", dtype=np.uint8)
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target]).astype(np.uint8)
