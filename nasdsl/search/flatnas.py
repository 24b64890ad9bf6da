"""FlatNAS: surrogate-assisted NSGA-II on accuracy and flatness in weight space, weighed together.

Source: M. Gambella, F. Pittorino, M. Roveri, "FlatNAS: optimizing Flatness in Neural
Architecture Search for Out-of-Distribution Robustness", 2024 (arXiv 2402.19102). The figure of
merit of an architecture, to be minimized, is

    alpha Err + (1 - alpha) n R_sigma,     n = mean(Err) / mean(R_sigma) over the archive,

Err = 100 - accuracy in percent, R_sigma the file's ``flatness.weights``. n is worked out anew for
each batch, and with it the figures of the whole archive. Each batch fits a model to the figures
and runs NSGA-II on its predictions and on the file's other goals; parameters and
multiply-accumulates are not predicted but counted. What differs from the published search:

- A bound on parameters is the file's ``require``. What it forbids is not proposed, where the
  original adds 1e10 times the excess to an objective.
- Of the predicted front those are measured that lie farthest, one after the other, from
  everything on the front of the archive and from each other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasdsl.neighborhood.complete import complete
from nasdsl.search.archive import Batch, Identity, Planned, Record, fingerprint
from nasdsl.search.features import Encoding, Features
from nasdsl.search.goals import COUNTED, Aim, aims
from nasdsl.search.models import MODELS, normal_scores
from nasdsl.search.nsga2 import layers, ranked
from nasdsl.search.variation import Variation

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Space

Array = NDArray[np.float64]

ACCURACY = "accuracy"
FLATNESS = "flatness.weights"
CROSSOVER = 0.9
ATTEMPTS = 20
"""Matings for each child before a uniform draw takes its place."""


def figures_of_merit(errors: Array, changes: Array, alpha: float) -> Array:
    """``alpha Err + (1 - alpha) n R`` with ``n = mean(Err) / mean(R)``, less is better.

    ``errors`` and ``changes`` have shape (archive,), both in percent. Where nothing changes at
    all there is nothing to weigh, and the second part is 0.
    """
    scale = errors.mean() / changes.mean() if changes.mean() > 0 else 0.0
    found: Array = alpha * errors + (1.0 - alpha) * scale * changes
    return found


class FlatNas(Planned):
    """Batches from the front that NSGA-II finds on a model of the figure of merit."""

    def __init__(
        self,
        space: Space,
        seed: int,
        alpha: float = 0.5,
        initial: int = 20,
        batch: int = 8,
        model: str = "gp",
        population: int = 40,
        generations: int = 20,
        identity: Identity = fingerprint,
    ):
        """The file's goals must hold accuracy, and flatness in weight space unless alpha is 1.

        Args:
            space: with its goals.
            seed: of the search.
            alpha: weight of the error, from 0 to 1; the rest is the weight of flatness.
            initial: uniform draws to learn from first.
            batch: proposals between two looks at outcomes.
            model: of the figure of merit, by its name in the table of models.
            population, generations: of the inner NSGA-II, which measures nothing.
            identity: what two architectures have in common that count as one.
        """
        super().__init__(space, seed, batch, identity)
        self._alpha = alpha
        self._initial = initial
        self._model = model
        self._population = population
        self._generations = generations
        known = aims(space)
        self._accuracy = next(aim for aim in known if aim.name == ACCURACY)
        self._flatness = next((aim for aim in known if aim.name.startswith(FLATNESS)), None)
        self._others = tuple(a for a in known if a not in (self._accuracy, self._flatness))
        self._variation = Variation(space)
        # Elastic architectures differ in sizes, which decisions tell as well as graphs do.
        self._features = Features("decisions")

    def merits(self, past: Sequence[Record]) -> list[tuple[int, float]]:
        """Index and figure of merit, less is better, of each sound record."""
        rows = []
        for at, record in enumerate(past):
            accuracy = self._accuracy.of(record.outcome)
            change = 0.0 if self._flatness is None else self._flatness.of(record.outcome)
            if accuracy is not None and change is not None:
                rows.append((at, 100.0 - accuracy, abs(change)))
        if not rows:
            return []
        values = np.array([row[1:] for row in rows])
        found = figures_of_merit(values[:, 0], values[:, 1], self._alpha)
        return [(row[0], float(value)) for row, value in zip(rows, found, strict=True)]

    def best(self) -> Architecture | None:
        """The architecture of the least figure of merit so far."""
        merits = self.merits(self._records)
        if not merits:
            return None
        return self._records[min(merits, key=lambda pair: pair[1])[0]].architecture

    def plan(self, past: Sequence[Record], batch: Batch) -> None:
        """What lies on the predicted front; uniform draws before there is anything to learn."""
        merits = self.merits(past)
        if len(past) >= self._initial and len(merits) > 1:
            records = [past[at] for at, _ in merits]
            scores = normal_scores(-np.array([value for _, value in merits]))
            told = _Predicted(self, records, scores, past)
            pool = self._evolved(told, records, past, batch)
            front = told.values([r.architecture for r in records], scores)
            held = front[layers(front)[0]]
            for architecture in _spread(pool, told.values(pool), held) if pool else ():
                if batch.is_full:
                    return
                batch.take(architecture)
        self.fill(past, batch)

    def _evolved(
        self,
        told: _Predicted,
        records: Sequence[Record],
        past: Sequence[Record],
        batch: Batch,
    ) -> list[Architecture]:
        """New architectures by NSGA-II on predictions, the predicted front first."""
        draw = random.Random(self.key(past, "evolve"))
        known = [record.architecture for record in records]
        parents = self._survivors(told, known)
        unseen: dict[int, Architecture] = {}
        for generation in range(self._generations):
            children: dict[int, Architecture] = {}
            for attempt in range(ATTEMPTS * self._population):
                if len(children) >= self._population:
                    break
                child = self._child(parents, draw, self.key(past, "drawn", generation, attempt))
                if child is not None and child not in parents:
                    children.setdefault(child.rank, child)
            for rank, child in children.items():
                if not batch.knows(child):
                    unseen.setdefault(rank, child)
            parents = self._survivors(told, [*parents, *children.values()])
        pool = list(unseen.values())
        return [pool[i] for i in ranked(told.values(pool))] if pool else []

    def _survivors(self, told: _Predicted, among: Sequence[Architecture]) -> list[Architecture]:
        single = list({a.rank: a for a in among}.values())
        return [single[i] for i in ranked(told.values(single))[: self._population]]

    def _child(
        self, parents: Sequence[Architecture], draw: random.Random, key: int
    ) -> Architecture | None:
        first, second = (
            parents[min(draw.randrange(len(parents)), draw.randrange(len(parents)))]
            for _ in range(2)
        )
        child: Architecture | None = first
        if first != second and draw.random() < CROSSOVER:
            child = self._variation.crossed(first, second, draw)
        if child is None:
            return None
        return self._mutated(child, draw, key)

    def _mutated(self, child: Architecture, draw: random.Random, key: int) -> Architecture | None:
        """One decision, on average, as a fresh uniform draw has it, where that has it at all."""
        donor = self._space.sample(key).decisions
        decisions = dict(child.decisions)
        chance = 1.0 / max(1, len(decisions))
        for name in child.decisions:
            if name in donor and draw.random() < chance:
                decisions[name] = donor[name]
        mutant = complete(self._space, decisions)
        return mutant if self._space.allows(mutant) else None

    def counted(self, aim: Aim, architecture: Architecture) -> float:
        """A goal that needs no measurement, signed so that more is better."""
        value = float(getattr(architecture, aim.name))
        return value if aim.maximize else -value

    @property
    def others(self) -> tuple[Aim, ...]:
        """The file's goals beside accuracy and flatness."""
        return self._others

    @property
    def features(self) -> Features:
        """What architectures are described by."""
        return self._features

    @property
    def model(self) -> str:
        """The name of the model."""
        return self._model


class _Predicted:
    """What all goals of an architecture are expected to be, more is better."""

    def __init__(
        self, search: FlatNas, records: Sequence[Record], scores: Array, past: Sequence[Record]
    ) -> None:
        self._search = search
        self._rows: dict[int, Array] = {}
        known = [record.architecture for record in records]
        self._encoding = Encoding(search.features, known)
        rows = self._encoding.rows(known)
        fit = MODELS[search.model]
        self._merit = fit(rows, scores, search.key(past, "model"))
        self._fitted: dict[str, Any] = {}
        for aim in search.others:
            values = [aim.of(record.outcome) for record in records]
            sound = [i for i, value in enumerate(values) if value is not None]
            if aim.name not in COUNTED and len(sound) > 1:
                column = np.array([values[i] for i in sound], dtype=np.float64)
                key = search.key(past, "model", aim.name)
                self._fitted[aim.name] = fit(rows[sound], column, key)

    def values(self, among: Sequence[Architecture], merit: Array | None = None) -> Array:
        """Shape (architectures, 1 + other goals); ``merit`` where it is known already."""
        fresh = [a for a in among if a.rank not in self._rows]
        if fresh:
            rows = self._encoding.rows(fresh)
            columns = [self._merit.predict(rows)[0]]
            for aim in self._search.others:
                if aim.name in COUNTED:
                    counted = [self._search.counted(aim, a) for a in fresh]
                    columns.append(np.array(counted, dtype=np.float64))
                elif aim.name in self._fitted:
                    columns.append(self._fitted[aim.name].predict(rows)[0])
            for architecture, row in zip(fresh, np.stack(columns, axis=1), strict=True):
                self._rows[architecture.rank] = row
        found = np.stack([self._rows[a.rank] for a in among])
        if merit is not None:
            found[:, 0] = merit
        return found


def _spread(pool: Sequence[Architecture], values: Array, held: Array) -> list[Architecture]:
    """The pool in the order in which it is to be measured.

    By predicted layers; within a layer the one farthest from everything held or taken so far
    comes next, each goal scaled to the extent of the layer and what is held. With a single goal
    that is the order of the predictions.
    """
    if values.shape[1] == 1:
        return [pool[i] for i in np.argsort(-values[:, 0], kind="stable")]
    order: list[int] = []
    taken = held
    for layer in layers(values):
        both = np.concatenate([taken, values[layer]])
        extent = both.max(axis=0) - both.min(axis=0)
        scale = np.where(extent > 0, extent, 1.0)
        left = list(layer)
        gaps = _distances(values[left] / scale, taken / scale).min(axis=1)
        while left:
            at = int(gaps.argmax())
            picked = left.pop(at)
            order.append(picked)
            gaps = np.delete(gaps, at)
            if left:
                near = _distances(values[left] / scale, values[[picked]] / scale)[:, 0]
                gaps = np.minimum(gaps, near)
        taken = np.concatenate([taken, values[layer]])
    return [pool[i] for i in order]


def _distances(first: Array, second: Array) -> Array:
    """Euclidean distances of rows, of shape (len(first), len(second))."""
    found: Array = np.sqrt(((first[:, None] - second[None]) ** 2).sum(axis=2))
    return found
