"""Neighborhoods of which few neighbors are trained: a model of the run fills in the others.

The model is a ridge regression over the features of the networks' graphs, fitted to everything
that the run has trained up to the center in question, so that each later center is judged by
a better one. (Features of this kind predict accuracies well: G. Kadlecova and others,
"Surprisingly Strong Performance Prediction with Neural Graph Features", ICML 2024.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasdsl.graph.constant import is_constant
from nasdsl.search.features import of_network

if TYPE_CHECKING:
    from nasdsl.graph.network import Network
    from nasdsl.study.records import Subject

Array = NDArray[np.float64]

RECENT = 1000
"""So many networks, the last ones, are learned from at most, which bounds the work."""
PENALTIES = tuple(float(p) for p in np.logspace(-3, 2, 16))
"""Candidates for the ridge, for features whose squares sum to one on average."""
FAR = 4.0
"""Standard deviations beyond which a feature counts no further."""
DIGITS = 6
"""Decimals of a prediction: its last bits depend on the number of threads."""


@dataclass(frozen=True, slots=True)
class Ridge:
    """A linear function of named features.

    Attributes:
        names: of the features that it reads.
        center: their means over what it was fitted to.
        scale: their standard deviations, times the square root of their number.
        weights: of the features less ``center`` by ``scale``.
        mean: the value at the center.
        low: the least value that it was fitted to; no prediction is below it.
        high: the greatest.
    """

    names: tuple[str, ...]
    center: Array
    scale: Array
    weights: Array
    mean: float
    low: float
    high: float

    def __call__(self, features: Sequence[Mapping[str, float]]) -> list[float]:
        """One value for each description."""
        if not features:
            return []
        values = self.mean + self._rows(features) @ self.weights
        return [round(float(v), DIGITS) for v in np.clip(values, self.low, self.high)]

    def _rows(self, features: Sequence[Mapping[str, float]]) -> Array:
        return _scaled(_table(features, self.names), self.center, self.scale)


def fit(features: Sequence[Mapping[str, float]], values: Sequence[float]) -> Ridge:
    """The ridge regression of values on named features; what is not named is zero.

    The penalty is the candidate of the least leave-one-out error, which needs no fit of
    its own for each left out: the residual is that of the whole fit by one less the leverage
    (Golub, Heath and Wahba, "Generalized cross-validation", Technometrics 21(2), 1979).

    Raises:
        ValueError: there are no values.
    """
    y = np.array(values, dtype=np.float64)
    if not len(y):
        raise ValueError("a model needs something to learn from")
    names = sorted({name for row in features for name in row})
    table = _table(features, names)
    spread = table.std(axis=0)
    kept = np.flatnonzero(spread > 1e-9)
    center = table[:, kept].mean(axis=0)
    scale = spread[kept] * np.sqrt(max(1, len(kept)))
    rows = _scaled(table[:, kept], center, scale)
    mean = float(y.mean())
    weights = _weights(rows, y - mean) if len(kept) and len(y) > 2 else np.zeros(len(kept))
    chosen = tuple(names[i] for i in kept)
    return Ridge(chosen, center, scale, weights, mean, float(y.min()), float(y.max()))


class Archive:
    """What a run has measured, and predictions of accuracies that come of it.

    Features of a network are worked out once, by its fingerprint.

    Args:
        network: builds the network of a subject.
    """

    def __init__(self, network: Callable[[Subject], Network]):
        self._network = network
        self._features: dict[str, dict[str, float] | None] = {}

    def fill(
        self,
        trained: Sequence[tuple[Subject, float | None]],
        ball: Iterable[tuple[str, Network]],
    ) -> list[float | None]:
        """The accuracy in percent of each network of a ball, ``None`` where its training failed.

        Measured where a network of its fingerprint was; predicted elsewhere. Networks of constant
        output are predicted by others like them, or by chance, and say nothing of the rest.

        Args:
            trained: networks and their accuracies (``None``: failed), in the order of trials.
            ball: fingerprint and network of the ball's members.

        Raises:
            ValueError: all that were trained failed.
        """
        measured = {subject.fingerprint: value for subject, value in trained}
        rows: list[dict[str, float]] = []
        values: list[float] = []
        constant: list[float] = []
        for subject, value in trained[-RECENT:]:
            if value is None:
                continue
            described = self._trained(subject)
            if described is None:
                constant.append(value)
            else:
                rows.append(described)
                values.append(value)
        model = fit(rows, values) if values else fit([{}] * len(constant), constant)
        found: list[float | None] = []
        for fingerprint, network in ball:
            if fingerprint in measured:
                found.append(measured[fingerprint])
                continue
            described = self._described(fingerprint, network)
            if described is not None:
                found += model([described])
            elif constant:
                found.append(round(float(np.mean(constant)), DIGITS))
            else:
                found.append(100.0 / network.by_id[network.outputs[0]].type.channels)
        return found

    def _trained(self, subject: Subject) -> dict[str, float] | None:
        if subject.fingerprint in self._features:
            return self._features[subject.fingerprint]
        return self._described(subject.fingerprint, self._network(subject))

    def _described(self, fingerprint: str, network: Network) -> dict[str, float] | None:
        """Features of a network, ``None`` where its output is constant."""
        if fingerprint not in self._features:
            constant = is_constant(network)
            self._features[fingerprint] = None if constant else of_network(network)
        return self._features[fingerprint]


def _table(features: Sequence[Mapping[str, float]], names: Sequence[str]) -> Array:
    return np.array([[row.get(name, 0.0) for name in names] for row in features], dtype=np.float64)


def _scaled(table: Array, center: Array, scale: Array) -> Array:
    width = max(1, len(scale))
    limit = FAR / np.sqrt(width)
    scaled: Array = np.clip((table - center) / scale, -limit, limit)
    return scaled


def _weights(rows: Array, y: Array) -> Array:
    """Weights of the penalty with the least leave-one-out error, for centered values."""
    left, sizes, right = np.linalg.svd(rows, full_matrices=False)
    along = left.T @ y
    best, found = np.inf, np.zeros(rows.shape[1])
    for penalty in PENALTIES:
        shrunk = sizes**2 / (sizes**2 + penalty)
        leverage = np.clip(left**2 @ shrunk + 1 / len(y), 0.0, 1 - 1e-9)
        error = float(np.mean(((y - left @ (shrunk * along)) / (1 - leverage)) ** 2))
        if error < best:
            best, found = error, right.T @ (sizes / (sizes**2 + penalty) * along)
    return found
