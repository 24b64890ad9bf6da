"""Models that predict a value and its uncertainty from features."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TREES = 60
LENGTHS = (0.5, 1.0, 2.0, 4.0)
"""Length scales that are tried, in units of the square root of the number of columns."""
NOISES = (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
"""Noise variances that are tried, in units of the signal's."""


class Model(Protocol):
    """A regression with uncertainty."""

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation for rows of features, each of shape (rows,)."""
        ...


class Forest:
    """A random forest of :data:`TREES` trees; the deviation is that between the trees."""

    def __init__(self, rows: Array, values: Array, seed: int):
        # Loading the library draws from the global generator, which is not ours to move.
        state = random.getstate()
        from sklearn.ensemble import RandomForestRegressor

        random.setstate(state)
        self._forest = RandomForestRegressor(TREES, random_state=seed % 2**32, n_jobs=1)
        self._forest.fit(rows, values)

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation over the trees."""
        # The trees take 32-bit floats, which the forest's own checks would make of the rows.
        narrow = rows.astype(np.float32)
        each = np.stack([t.tree_.predict(narrow).ravel() for t in self._forest.estimators_])
        return each.mean(axis=0), each.std(axis=0)


class GaussianProcess:
    """A Gaussian process of squared-exponential kernel.

    k(x, y) = s exp(-|x - y|^2 / (2 d l^2)), d the number of columns; l and the noise maximize
    the marginal likelihood over :data:`LENGTHS` and :data:`NOISES`, s in closed form
    (C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, eq.
    2.25, 2.26 and 2.30, with one eigendecomposition for each length).
    """

    def __init__(self, rows: Array, values: Array, seed: int):
        self._rows = rows
        self._mean = float(values.mean())
        centered = values - self._mean
        squared = _squared(rows, rows)
        best = math.inf
        for length in LENGTHS:
            kernel = np.exp(-squared / (2.0 * max(rows.shape[1], 1) * length**2))
            eigenvalues, vectors = np.linalg.eigh(kernel)
            projected = vectors.T @ centered
            for noise in NOISES:
                damped = np.maximum(eigenvalues, 0.0) + noise
                scale = max(float(np.mean(projected**2 / damped)), 1e-12)
                # Minus twice the log likelihood at the best scale, constants left out.
                cost = len(values) * math.log(scale) + float(np.log(damped).sum())
                if cost < best:
                    best = cost
                    self._length, self._scale = length, scale
                    self._weights = vectors @ (projected / damped)
                    self._whitening = vectors / np.sqrt(damped)

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value."""
        squared = _squared(rows, self._rows)
        kernel = np.exp(-squared / (2.0 * max(rows.shape[1], 1) * self._length**2))
        explained = ((kernel @ self._whitening) ** 2).sum(axis=1)
        deviation = np.sqrt(self._scale * np.maximum(1.0 - explained, 1e-12))
        return self._mean + kernel @ self._weights, deviation


def _squared(a: Array, b: Array) -> Array:
    """Squared distances of rows, of shape (len(a), len(b))."""
    found: Array = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2.0 * a @ b.T
    return np.maximum(found, 0.0)


MODELS: dict[str, Callable[[Array, Array, int], Model]] = {"forest": Forest, "gp": GaussianProcess}


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """E[max(y - best, 0)] of normal y, in the values' unit (J. Mockus, 1978)."""
    spread = np.maximum(deviation, 1e-12)
    z = (mean - best) / spread
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    below = 0.5 * (1.0 + _erf(z / math.sqrt(2.0)))
    found: Array = spread * (z * below + density)
    return found


_erf = np.vectorize(math.erf, otypes=[np.float64])
