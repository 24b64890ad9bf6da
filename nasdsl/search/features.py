"""Decisions as numbers, for models that learn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def described(decisions: Mapping[str, Any]) -> dict[str, float]:
    """Named features of decisions.

    A label or truth value is one feature of value 1, a set one for each member, a number one of
    the number's value and one of 1 that says that it is decided. What is not decided is absent.
    """
    found: dict[str, float] = {}
    for name, value in decisions.items():
        if isinstance(value, tuple):
            found[name] = 1.0
            found |= {f"{name} has {member!r}": 1.0 for member in value}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = 1.0
            found[f"{name} value"] = float(value)
        else:
            found[f"{name} is {value!r}"] = 1.0
    return found


class Encoding:
    """Features in columns: those in which a set of decisions differs, each scaled to [0, 1]."""

    def __init__(self, known: Sequence[Mapping[str, float]]):
        names = sorted({name for features in known for name in features})
        rows = np.array([[f.get(name, 0.0) for name in names] for f in known])
        low, high = rows.min(axis=0, initial=np.inf), rows.max(axis=0, initial=-np.inf)
        differs = high > low
        self._names = [name for name, kept in zip(names, differs, strict=True) if kept]
        self._low, self._extent = low[differs], (high - low)[differs]

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self._names)

    def rows(self, features: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
        """Features as an array of shape (len(features), width); unknown ones are left out."""
        found = [[f.get(name, 0.0) for name in self._names] for f in features]
        raw = np.array(found, dtype=np.float64).reshape(len(features), self.width)
        scaled: NDArray[np.float64] = (raw - self._low) / self._extent
        return scaled
