"""Search by a model of the objectives: what promises the greatest improvement is measured next.

The model, a random forest or a Gaussian process over the decisions, learns from everything that
was measured. It ranks new uniform draws and the neighbors of the best so far by expected
improvement. With ``aware`` it predicts the mean over each promising candidate's whole
neighborhood instead, which costs predictions and no measurement.

Values are learned as normal scores, so that a few networks that fail to learn do not outweigh the
differences between good ones. Of several goals each batch follows weighted
Chebyshev sums (J. Knowles, "ParEGO", IEEE Transactions on Evolutionary Computation 10(1), 2006),
with a new random weighting for each batch.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasdsl.search.archive import Batch, Identity, Planned, Record, fingerprint
from nasdsl.search.features import Description, Encoding, Features
from nasdsl.search.goals import aims, leading
from nasdsl.search.models import MODELS, Model, expected_improvement, normal_scores
from nasdsl.search.variation import Variation

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Space

ELITE = 8
"""The neighbors of so many of the best are candidates."""
PARENTS_PER_BATCH = 4
"""Promising candidates whose neighborhoods are predicted, for each place in a batch."""
AUGMENTED = 0.05
"""Weight of the plain sum beside the worst of the weighted goals (Knowles, 2006)."""

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
        values = [[aim.of(r.outcome) for aim in self._aims] for r in past]
        sound = [i for i, row in enumerate(values) if all(v is not None for v in row)]
        if len(past) >= self._initial and len(sound) > 1:
            scores = self._scalars(np.array([values[i] for i in sound], dtype=np.float64), past)
            known = [past[i].architecture for i in sound]
            pool = self._pool(past, known, scores, batch)
            if pool:
                for i in self._order(known, scores, pool, past):
                    if batch.is_full:
                        return
                    batch.take(pool[i])
        self.fill(past, batch)

    def _scalars(self, values: Array, past: Sequence[Record]) -> Array:
        """One value for each row to be maximized, as normal scores."""
        if values.shape[1] == 1:
            return normal_scores(values[:, 0])
        draw = random.Random(self.key(past, "weights"))
        weights = np.array([draw.expovariate(1.0) for _ in self._aims])
        weights /= weights.sum()
        low, high = values.min(axis=0), values.max(axis=0)
        # Distance to the ideal point, each goal scaled to [0, 1] over the archive.
        regret = weights * (high - values) / np.where(high > low, high - low, 1.0)
        return normal_scores(-(regret.max(axis=1) + AUGMENTED * regret.sum(axis=1)))

    def _pool(
        self, past: Sequence[Record], known: Sequence[Architecture], scores: Array, batch: Batch
    ) -> list[Architecture]:
        """Neighbors of the best and uniform draws, without those that are known."""
        pool: dict[int, Architecture] = {}
        for i in np.argsort(-scores, kind="stable")[:ELITE]:
            for neighbor, _ in self._variation.neighbors(known[i]):
                pool.setdefault(neighbor.rank, neighbor)
        for k in range(self._draws):
            drawn = self._space.sample(self.key(past, "pool", k))
            pool.setdefault(drawn.rank, drawn)
        return [a for a in pool.values() if not batch.knows(a)]

    def _order(
        self,
        known: Sequence[Architecture],
        scores: Array,
        pool: Sequence[Architecture],
        past: Sequence[Record],
    ) -> list[int]:
        """Indices of the pool, the greatest expected improvement first."""
        encoding = Encoding(self._features, known)
        model = MODELS[self._model](encoding.rows(known), scores, self.key(past, "model"))
        mean, deviation = model.predict(encoding.rows(pool))
        gain = expected_improvement(mean, deviation, float(scores.max()))
        order = [int(i) for i in np.argsort(-gain, kind="stable")]
        if not self._aware:
            return order
        promising = order[: PARENTS_PER_BATCH * self.batch]
        around = [self._around(model, encoding, pool[i]) for i in promising]
        again = [promising[i] for i in np.argsort(-np.array(around), kind="stable")]
        return [*again, *order[len(promising) :]]

    def _around(self, model: Model, encoding: Encoding, center: Architecture) -> float:
        """The mean prediction over an architecture and its neighbors."""
        ball = [center, *(a for a, _ in self._variation.neighbors(center))]
        mean, _ = model.predict(encoding.rows(ball))
        return float(mean.mean())
