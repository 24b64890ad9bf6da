"""scikit-learn's digits: 1,797 grey images of 8x8, embedded, the default data.

With all of them any small network reaches 98.9 % and none can be told from another. Few
training images and additive noise make them hard enough to rank networks: with the defaults
(600 images, noise 0.25, 12 epochs) networks of 200 to 60,000 parameters reach 17 % to 91 %,
and two seeds of a sound network differ by about 1 %.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasdsl.seeding import derive
from nasdsl.training.data.reading import Raw
from nasdsl.training.settings import DataSettings


def read(path: Path | None, settings: DataSettings) -> Raw:
    """Images [N, 1, 8, 8] in float (0..1, plus noise), classes 0..9."""
    from sklearn.datasets import load_digits  # one second: only who trains pays it

    bunch = load_digits()
    x = (bunch.images / 16.0).astype(np.float32)[:, None]
    if settings.noise:
        random = np.random.default_rng(derive("digits noise", settings.seed))
        x += random.normal(0.0, settings.noise, x.shape).astype(np.float32)
    return Raw(x, bunch.target.astype(np.int64), tuple("0123456789"))
