"""Models that predict a value and its uncertainty from features."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nasdsl.seeding import derive

Array = NDArray[np.float64]

TREES = 60
LENGTHS = (0.35, 0.7, 1.4, 2.8)
"""Length scales that are tried, in units of the square root of the number of columns."""
NOISES = (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
"""Noise variances that are tried, in units of the signal's."""
JUDGED = 100
"""Rows, drawn at random, on which length and noise are judged."""
RIDGE = 0.1
"""What the cubic interpolant may miss the values by, as added to its kernel's diagonal."""
NETWORKS = 3
LAYERS = (24,)
STEPS = 60
"""Small networks: how many, their hidden layers, and the steps that fit them."""
FOLDS = 3


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
    the marginal likelihood over :data:`LENGTHS` and :data:`NOISES`, on :data:`JUDGED` rows where
    there are more, s in closed form on all rows (C. E. Rasmussen, C. K. I. Williams, "Gaussian
    Processes for Machine Learning", 2006, eq. 2.25, 2.26 and 2.30, with one eigendecomposition
    for each length).
    """

    def __init__(self, rows: Array, values: Array, seed: int):
        self._rows = rows
        self._mean = float(values.mean())
        centered = values - self._mean
        judged = np.arange(len(rows))
        if len(rows) > JUDGED:
            judged = np.array(random.Random(seed).sample(range(len(rows)), JUDGED))
        self._length, noise = self._judge(rows[judged], centered[judged])
        kernel = self._kernel(_squared(rows, rows))
        kernel[np.diag_indices(len(rows))] += noise
        self._whitening: Array = np.linalg.inv(np.linalg.cholesky(kernel))
        white = self._whitening @ centered
        self._weights = self._whitening.T @ white
        self._scale = max(float(np.mean(white**2)), 1e-12)

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free value."""
        kernel = self._kernel(_squared(rows, self._rows))
        explained = ((kernel @ self._whitening.T) ** 2).sum(axis=1)
        deviation = np.sqrt(self._scale * np.maximum(1.0 - explained, 1e-12))
        return self._mean + kernel @ self._weights, deviation

    def mean(self, rows: Array) -> Array:
        """The mean alone, which costs much less."""
        found: Array = self._mean + self._kernel(_squared(rows, self._rows)) @ self._weights
        return found

    def _kernel(self, squared: Array, length: float | None = None) -> Array:
        width = 2.0 * max(self._rows.shape[1], 1) * (length or self._length) ** 2
        found: Array = np.exp(-squared / width)
        return found

    def _judge(self, rows: Array, centered: Array) -> tuple[float, float]:
        squared = _squared(rows, rows)
        best = (math.inf, LENGTHS[0], NOISES[0])
        for length in LENGTHS:
            eigenvalues, vectors = np.linalg.eigh(self._kernel(squared, length))
            projected = (vectors.T @ centered) ** 2
            for noise in NOISES:
                damped = np.maximum(eigenvalues, 0.0) + noise
                scale = max(float(np.mean(projected / damped)), 1e-12)
                # Minus twice the log likelihood at the best scale, constants left out.
                cost = len(rows) * math.log(scale) + float(np.log(damped).sum())
                best = min(best, (cost, length, noise))
        return best[1], best[2]


class CubicRbf:
    """A cubic radial basis function with a linear tail, softened by :data:`RIDGE`.

    f(x) = sum_i a_i |x - x_i|^3 + b.x + c with the moment conditions (R. G. Regis, C. A.
    Shoemaker, "A Stochastic Radial Basis Function Method", INFORMS Journal on Computing 19(4),
    2007). The deviation is the same everywhere: that of leave-one-out residuals.
    """

    def __init__(self, rows: Array, values: Array, seed: int):
        n, width = rows.shape
        self._rows = rows
        tail = np.hstack([rows, np.ones((n, 1))])
        system = np.zeros((n + width + 1, n + width + 1))
        system[:n, :n] = _squared(rows, rows) ** 1.5 + RIDGE * np.eye(n)
        system[:n, n:], system[n:, :n] = tail, tail.T
        # Fewer rows than columns leave the tail open; the least solution closes it.
        inverse = np.linalg.pinv(system, hermitian=True)
        self._weights = inverse[:, :n] @ values
        share = np.diag(inverse)[:n]
        missed = self._weights[:n] / np.where(np.abs(share) > 1e-12, share, np.inf)
        self._deviation = float(np.sqrt(np.mean(missed**2)))

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """The interpolant, and one deviation for all."""
        basis = np.hstack([_squared(rows, self._rows) ** 1.5, rows, np.ones((len(rows), 1))])
        return basis @ self._weights, np.full(len(rows), self._deviation)


class Perceptrons:
    """:data:`NETWORKS` small networks from different weights; the deviation is between them."""

    def __init__(self, rows: Array, values: Array, seed: int):
        state = random.getstate()
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        random.setstate(state)
        self._networks = [
            MLPRegressor(
                hidden_layer_sizes=LAYERS,
                solver="lbfgs",
                alpha=1.0,
                max_iter=STEPS,
                random_state=derive(seed, "network", k) % 2**32,
            )
            for k in range(NETWORKS)
        ]
        with warnings.catch_warnings():
            # Stopping early is meant: it keeps the networks smooth.
            warnings.simplefilter("ignore", ConvergenceWarning)
            for network in self._networks:
                network.fit(rows, values)

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation over the networks."""
        each = np.stack([network.predict(rows) for network in self._networks])
        return each.mean(axis=0), each.std(axis=0)


PLAIN: dict[str, Callable[[Array, Array, int], Model]] = {
    "forest": Forest,
    "gp": GaussianProcess,
    "mlp": Perceptrons,
    "rbf": CubicRbf,
}


def switching(rows: Array, values: Array, seed: int) -> Model:
    """The model that ranks held-out rows best, fitted to all.

    Judged by cross-validation over :data:`FOLDS` folds: the mean of Kendall's tau less its
    standard deviation (Z. Lu and others, "NSGANetV2", ECCV 2020, switch by the mean). Of equally
    good ones the first by name.
    """
    order = list(range(len(rows)))
    random.Random(derive(seed, "folds")).shuffle(order)
    folds = [f for f in (order[k::FOLDS] for k in range(FOLDS)) if len(f) > 1]

    def judged(name: str) -> float:
        found = []
        for fold in folds:
            kept = np.setdiff1d(order, fold)
            if len(kept) < 2:
                return -math.inf
            mean, _ = PLAIN[name](rows[kept], values[kept], seed).predict(rows[fold])
            found.append(tau(mean, values[fold]))
        return float(np.mean(found) - np.std(found)) if found else -math.inf

    return PLAIN[max(sorted(PLAIN), key=judged)](rows, values, seed)


MODELS: dict[str, Callable[[Array, Array, int], Model]] = {"auto": switching, **PLAIN}


def tau(first: Array, second: Array) -> float:
    """Kendall's tau-a of two columns of shape (n,), n at least 2: ties count as neither."""
    n = len(first)
    agree = np.sign(first[:, None] - first) * np.sign(second[:, None] - second)
    return float(agree.sum() / (n * (n - 1)))


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """E[max(y - best, 0)] of normal y, in the values' unit (J. Mockus, 1978)."""
    spread = np.maximum(deviation, 1e-12)
    z = (mean - best) / spread
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    below = 0.5 * (1.0 + _erf(z / math.sqrt(2.0)))
    found: Array = spread * (z * below + density)
    return found


_erf = np.vectorize(math.erf, otypes=[np.float64])


def normal_scores(values: Array) -> Array:
    """Normal quantiles of ranks, (rank - 1/2) / n, equal values sharing their mean rank.

    Values of shape (n,), more is better; returns shape (n,).
    """
    ordered = np.sort(values)
    low = np.searchsorted(ordered, values, side="left")
    high = np.searchsorted(ordered, values, side="right")
    quantile = (low + high) / (2.0 * len(values))
    inverse = NormalDist().inv_cdf
    return np.array([inverse(float(q)) for q in quantile])


def _squared(a: Array, b: Array) -> Array:
    """Squared distances of rows, of shape (len(a), len(b))."""
    found: Array = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2.0 * a @ b.T
    return np.maximum(found, 0.0)
