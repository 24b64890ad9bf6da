"""Search by a model of the objectives: what promises the greatest improvement is measured next.

The model, a random forest or a Gaussian process over the decisions, learns from everything that
was measured. It ranks new uniform draws and the neighbors of the best so far by expected
improvement. With ``aware`` it predicts the mean over each promising candidate's whole
neighborhood instead, which costs predictions and no measurement.

Values are learned as normal scores, so that a few networks that fail to learn do not outweigh the
differences between good ones. Of several goals each has a model of its own, and candidates are
taken one after the other by the gain of hypervolume that is expected over the front of the
archive; what is taken counts as measured, at its predicted mean, for those that come after it.
Parameters and multiply-accumulates are not predicted where what was told is what the
architectures themselves say.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasdsl.search.archive import Batch, Identity, Planned, Record, fingerprint
from nasdsl.search.features import Description, Encoding, Features
from nasdsl.search.forecast import Learned, forecast
from nasdsl.search.goals import aims, leading
from nasdsl.search.hypervolume_gain import Gains, greedy
from nasdsl.search.models import MODELS, expected_improvement
from nasdsl.search.nsga2 import layers
from nasdsl.search.variation import Variation

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Space

ELITE = 8
"""The neighbors of so many of the best, or of the front, are candidates."""
PARENTS_PER_BATCH = 4
"""Promising candidates whose neighborhoods are predicted, for each place in a batch."""

Array = NDArray[np.float64]


class SurrogateSearch(Planned):
    """Batches of the greatest expected improvement under a model."""

    def __init__(
        self,
        space: Space,
        seed: int,
        model: str = "gp",
        initial: int = 20,
        batch: int = 10,
        draws: int = 200,
        aware: bool = False,
        identity: Identity = fingerprint,
        variation: Variation | None = None,
        features: Features | Description = "both",
    ):
        super().__init__(space, seed, batch, identity)
        self._model = model
        self._initial = initial
        self._draws = draws
        self._aware = aware
        self._aims = aims(space) if space.best is None else (leading(space),)
        self._variation = variation or Variation(space)
        self._features = Features(features) if isinstance(features, str) else features

    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """What the model ranks first; uniform draws before there is anything to learn from."""
        rows = [[aim.of(record.outcome) for aim in self._aims] for record in past]
        sound = [(past[i].architecture, row) for i, row in enumerate(rows) if None not in row]
        if len(past) >= self._initial and len(sound) > 1:
            known = [architecture for architecture, _ in sound]
            values = np.array([row for _, row in sound], dtype=np.float64)
            ranked = self._of_one if values.shape[1] == 1 else self._of_several
            for architecture in ranked(known, values, past, batch):
                if batch.is_full:
                    return
                batch.take(architecture)
        self.fill(past, batch)

    def _pool(
        self, past: Sequence[Record], centers: Sequence[Architecture], batch: Batch
    ) -> list[Architecture]:
        """Neighbors of centers and uniform draws, without those that are known."""
        pool: dict[int, Architecture] = {}
        for center in centers:
            for neighbor, _ in self._variation.neighbors(center):
                pool.setdefault(neighbor.rank, neighbor)
        for k in range(self._draws):
            drawn = self._space.sample(self.key(past, "pool", k))
            pool.setdefault(drawn.rank, drawn)
        return [a for a in pool.values() if not batch.knows(a)]

    def _of_one(
        self, known: Sequence[Architecture], values: Array, past: Sequence[Record], batch: Batch
    ) -> Iterator[Architecture]:
        """Candidates for one goal, the greatest expected improvement first."""
        best = np.argsort(-values[:, 0], kind="stable")[:ELITE]
        pool = self._pool(past, [known[i] for i in best], batch)
        if not pool:
            return
        encoding = Encoding(self._features, known)
        fit = MODELS[self._model]
        model = Learned(fit, encoding, known, values[:, 0], self.key(past, "model"))
        gain = expected_improvement(*model.predict(pool), float(model.held.max()))
        order = [int(i) for i in np.argsort(-gain, kind="stable")]
        if self._aware:
            promising, rest = self._promising(order)
            around = [model.around(self._ball(pool[i])) for i in promising]
            order = [*(promising[i] for i in np.argsort(-np.array(around), kind="stable")), *rest]
        yield from (pool[i] for i in order)

    def _of_several(
        self, known: Sequence[Architecture], values: Array, past: Sequence[Record], batch: Batch
    ) -> Iterator[Architecture]:
        """Candidates for several goals, the greatest expected gain of hypervolume first."""
        front = layers(values)[0]
        draw = random.Random(self.key(past, "front"))
        centers = draw.sample(front, min(ELITE, len(front)))
        pool = self._pool(past, [known[i] for i in centers], batch)
        if not pool:
            return
        encoding = Encoding(self._features, known)
        models = [
            forecast(
                aim, known, values[:, j], encoding, self._model, self.key(past, "model", aim.name)
            )
            for j, aim in enumerate(self._aims)
        ]
        held = np.stack([model.held for model in models], axis=1)[front]
        least = np.array([model.held.min() for model in models])
        mean, deviation = (
            np.stack(parts, axis=1)
            for parts in zip(*(model.predict(pool) for model in models), strict=True)
        )
        if not self._aware:
            yield from (pool[i] for i in greedy(held, least, mean, deviation, 2 * self.batch))
            return
        gains = Gains(held, least).of(mean, deviation)
        promising, rest = self._promising([int(i) for i in np.argsort(-gains, kind="stable")])
        balls = [self._ball(pool[i]) for i in promising]
        around = np.array([[model.around(ball) for model in models] for ball in balls])
        again = greedy(held, least, around, np.zeros_like(around), 2 * self.batch)
        yield from (pool[i] for i in chain((promising[k] for k in again), rest))

    def _promising(self, order: list[int]) -> tuple[list[int], list[int]]:
        """The first of an order, whose neighborhoods are predicted, and the others."""
        most = PARENTS_PER_BATCH * self.batch
        return order[:most], order[most:]

    def _ball(self, center: Architecture) -> list[Architecture]:
        """An architecture and its neighbors."""
        return [center, *(neighbor for neighbor, _ in self._variation.neighbors(center))]
