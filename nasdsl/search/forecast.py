"""What one of several goals is expected to be: by a model, or by counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from nasdsl.search.goals import COUNTED, Aim
from nasdsl.search.models import MODELS, Model, normal_scores

if TYPE_CHECKING:
    from nasdsl.search.features import Encoding
    from nasdsl.space import Architecture

Array = NDArray[np.float64]


class Forecast(Protocol):
    """One goal on a scale of its own, on which more is better.

    Attributes:
        held: what the known architectures have, of shape (known,).
    """

    held: Array

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """Mean and standard deviation, each of shape (architectures,)."""
        ...

    def around(self, ball: Sequence[Architecture]) -> float:
        """What a ball of architectures comes to, its center first."""
        ...


def forecast(
    aim: Aim,
    known: Sequence[Architecture],
    values: Array,
    encoding: Encoding,
    model: str,
    seed: int,
) -> Forecast:
    """Counted where the values, signed by the aim, are what the architectures say; else learned.

    Args:
        aim: the goal.
        known: measured architectures.
        values: theirs, signed so that more is better, of shape (known,).
        encoding: of the known architectures, for the model.
        model: by its name in the table of models.
        seed: of the model.
    """
    if aim.name in COUNTED and np.array_equal(values, [_count(aim, a) for a in known]):
        return Counted(aim, values)
    return Learned(MODELS[model], encoding, known, values, seed)


def _count(aim: Aim, architecture: Architecture) -> float:
    value = float(getattr(architecture, aim.name))
    return value if aim.maximize else -value


class Counted:
    """A goal that an architecture tells without being measured, in units of its extent so far."""

    def __init__(self, aim: Aim, values: Array):
        self._aim = aim
        self._extent = float(np.ptp(values)) or 1.0
        self.held = values / self._extent

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """The values, without doubt."""
        found = np.array([_count(self._aim, a) for a in architectures], dtype=np.float64)
        return found / self._extent, np.zeros(len(found))

    def around(self, ball: Sequence[Architecture]) -> float:
        """The value of the center: what is counted is a price, which neighbors do not share."""
        return _count(self._aim, ball[0]) / self._extent


class Learned:
    """A goal as normal scores, by a model of the known ones."""

    def __init__(
        self,
        fit: Callable[[Array, Array, int], Model],
        encoding: Encoding,
        known: Sequence[Architecture],
        values: Array,
        seed: int,
    ):
        self._encoding = encoding
        self.held = normal_scores(values)
        self._model = fit(encoding.rows(known), self.held, seed)

    def predict(self, architectures: Sequence[Architecture]) -> tuple[Array, Array]:
        """As the model predicts them."""
        return self._model.predict(self._encoding.rows(architectures))

    def around(self, ball: Sequence[Architecture]) -> float:
        """The mean prediction over the ball."""
        return float(self.predict(ball)[0].mean())
