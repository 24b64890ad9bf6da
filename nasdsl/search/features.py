"""Architectures as numbers, for models that learn from them.

Two descriptions stand side by side. Decisions say what was chosen where; they are at hand at
once, but two ways to write one network look different. The graph says what the live network
does: dead parts do not count, nor the order in which the rest was written. Its features are of the kind
that G. Kadlecova and others count ("Surprisingly Strong Performance Prediction with Neural
Graph Features", ICML 2024): operations, who feeds whom, and how many of a kind a way from the
inputs to the outputs has at least and at most.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nasdsl.graph.network import Network, Node
    from nasdsl.space import Architecture

Array = NDArray[np.float64]
Description = Literal["both", "decisions", "graph"]

SIZES = frozenset({"channels", "features"})
"""Settings of operations that say how wide they are; the costs tell them."""
GROWTH = 256
"""Rows and columns by which the table of features grows at least."""


def of_decisions(decisions: Mapping[str, Any]) -> dict[str, float]:
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


def of_network(network: Network) -> dict[str, float]:
    """Named features of a live network; what is zero may be absent.

    How many operations of each kind there are; how many feed one kind from another; the least
    and the most of each kind on a way from an input to an output; and on a logarithmic scale
    the parameters, the multiply-accumulates and the number of ways; the longest way.
    """
    kinds = {node.id: kind(node) for node in network.nodes}
    order = sorted(set(kinds.values()))
    counts = Counter(kinds.values())
    pairs = Counter((kinds[i], kinds[n.id]) for n in network.nodes for i in n.inputs)
    own = {k: np.array([float(k == other) for other in order]) for k in order}
    ways: dict[str, float] = {}
    depth: dict[str, float] = {}
    least: dict[str, Array] = {}
    most: dict[str, Array] = {}
    for node in network.nodes:
        here = own[kinds[node.id]]
        if node.inputs:
            ways[node.id] = _log_sum([ways[i] for i in node.inputs])
            depth[node.id] = 1.0 + max(depth[i] for i in node.inputs)
            least[node.id] = here + np.minimum.reduce([least[i] for i in node.inputs])
            most[node.id] = here + np.maximum.reduce([most[i] for i in node.inputs])
        else:
            ways[node.id], depth[node.id] = 0.0, 0.0
            least[node.id] = most[node.id] = here
    ends = network.outputs
    fewest = np.minimum.reduce([least[e] for e in ends])
    greatest = np.maximum.reduce([most[e] for e in ends])
    return {
        **{f"number of {k}": float(n) for k, n in counts.items()},
        **{f"{a} feeds {b}": float(n) for (a, b), n in pairs.items()},
        **{f"least {k}": float(v) for k, v in zip(order, fewest, strict=True)},
        **{f"most {k}": float(v) for k, v in zip(order, greatest, strict=True)},
        "ways": _log_sum([ways[e] for e in ends]),
        "depth": max(depth[e] for e in ends),
        "params": math.log1p(network.params),
        "macs": math.log1p(network.macs),
    }


def kind(node: Node) -> str:
    """An operation with its settings, without those that say how wide it is or fine-tune it."""
    kept = {
        name: value
        for name, value in node.settings.items()
        if name not in SIZES and isinstance(value, int | str) and not isinstance(value, bool)
    }
    return f"{node.op}({', '.join(f'{k}={kept[k]}' for k in sorted(kept))})" if kept else node.op


def _log_sum(logs: Sequence[float]) -> float:
    """The logarithm of a sum from those of its terms, which may be too large to hold."""
    top = max(logs)
    return top + math.log(math.fsum(math.exp(value - top) for value in logs))


class Features:
    """A table of features of one space's architectures, each worked out once.

    It grows with every architecture that is asked for, and may be shared by searches. Columns
    are numbered in the order in which their names turn up, which is why :class:`Encoding` puts
    them into the order of the names.
    """

    def __init__(self, description: Description = "both"):
        self.names: list[str] = []
        self._description = description
        self._columns: dict[str, int] = {}
        self._places: dict[int, int] = {}
        self._table: Array = np.zeros((0, 0))

    def rows(self, architectures: Iterable[Architecture]) -> Array:
        """Raw features, of shape (architectures, columns so far)."""
        places = [self._place(a) for a in architectures]
        return self._table[places, : len(self.names)]

    def _place(self, architecture: Architecture) -> int:
        place = self._places.get(architecture.rank)
        if place is None:
            place = self._places[architecture.rank] = len(self._places)
            self._write(place, self._described(architecture))
        return place

    def _described(self, architecture: Architecture) -> dict[str, float]:
        found: dict[str, float] = {}
        if self._description != "graph":
            found |= {f"decision {k}": v for k, v in of_decisions(architecture.decisions).items()}
        if self._description != "decisions":
            found |= {f"graph {k}": v for k, v in of_network(architecture.network).items()}
        return found

    def _write(self, place: int, found: Mapping[str, float]) -> None:
        for name in found:
            if name not in self._columns:
                self._columns[name] = len(self.names)
                self.names.append(name)
        height, width = self._table.shape
        if place >= height or len(self.names) > width:
            room = (
                max(height, place + max(GROWTH, place // 2)) if place >= height else height,
                len(self.names) + GROWTH if len(self.names) > width else width,
            )
            grown = np.zeros(room)
            grown[:height, :width] = self._table
            self._table = grown
        for name, value in found.items():
            self._table[place, self._columns[name]] = value


class Encoding:
    """The features in which known architectures differ, each scaled to [0, 1] over them."""

    def __init__(self, features: Features, known: Sequence[Architecture]):
        rows = features.rows(known)
        low, high = rows.min(axis=0, initial=np.inf), rows.max(axis=0, initial=-np.inf)
        differs = [int(i) for i in np.flatnonzero(high > low)]
        chosen = np.array(sorted(differs, key=lambda i: features.names[i]), dtype=np.intp)
        self._features = features
        self._columns = chosen
        self._low, self._extent = low[chosen], (high - low)[chosen]

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self._columns)

    def rows(self, architectures: Iterable[Architecture]) -> Array:
        """Architectures as an array of shape (architectures, width)."""
        raw = self._features.rows(architectures)[:, self._columns]
        scaled: Array = (raw - self._low) / self._extent
        return scaled
