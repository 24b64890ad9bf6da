"""The searchers of the table study, and what one search over a table costs and finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from nasbench_table import World

from nasdsl.search import Candidate, Outcome, Searcher
from nasdsl.search.evolution import RegularizedEvolution
from nasdsl.search.local import LocalSearch
from nasdsl.search.na_evolution import NeighborhoodAwareEvolution
from nasdsl.search.random_search import RandomSearch
from nasdsl.search.recommend import recommended
from nasdsl.search.surrogate import SurrogateSearch
from nasdsl.seeding import derive, generator
from nasdsl.space import Architecture

Figures = dict[str, float]
Rule = Literal["value", "aware"]

NEIGHBORS = 6
"""Neighbors measured with each proposal of a searcher that measures neighborhoods."""
SCORE = "flatness.neighborhood"
MARKS = 6
"""How often on the way what a search would pick is judged."""


@dataclass(frozen=True)
class Contender:
    """A searcher of the study.

    Attributes:
        make: (world, seed) -> searcher.
        picks: the names under which the search stands in the figures, by how it picks: the
            best value, or the best predicted neighborhood.
        measured: whether neighbors of each proposal are measured too; their mean with the
            proposal's own value is then its value.
    """

    make: Callable[[World, int], Searcher]
    picks: Mapping[Rule, str]
    measured: bool = False

    @property
    def name(self) -> str:
        """Of the search itself."""
        return next(iter(self.picks.values()))


def _evolution(w: World, seed: int, aware: bool) -> Searcher:
    return RegularizedEvolution(w.space, seed, identity=w.one, aware=aware, variation=w.variation)


def _surrogate(w: World, seed: int, model: str, aware: bool = False) -> Searcher:
    return SurrogateSearch(
        w.space,
        seed,
        model,
        aware=aware,
        identity=w.one,
        variation=w.variation,
        features=w.features,
    )


NA_SETTINGS = {"population": 20, "tournament": 5, "batch": 1, "neighbors": NEIGHBORS}
CONTENDERS = (
    Contender(
        lambda w, seed: RandomSearch(w.space, seed), {"value": "random", "aware": "random_aware"}
    ),
    Contender(
        lambda w, seed: LocalSearch(w.space, seed, identity=w.one, variation=w.variation),
        {"value": "local", "aware": "local_aware"},
    ),
    Contender(
        lambda w, seed: _evolution(w, seed, False),
        {"value": "evolution", "aware": "evolution_aware_pick"},
    ),
    Contender(
        lambda w, seed: _evolution(w, seed, True),
        {"value": "evolution_aware_parents", "aware": "evolution_aware"},
    ),
    Contender(
        lambda w, seed: _surrogate(w, seed, "gp"),
        {"value": "surrogate", "aware": "surrogate_aware"},
    ),
    Contender(lambda w, seed: RandomSearch(w.space, seed), {"value": "na_random"}, measured=True),
    Contender(
        lambda w, seed: NeighborhoodAwareEvolution(w.space, seed, NA_SETTINGS, w.one, w.variation),
        {"value": "na_evolution"},
        measured=True,
    ),
)
EXTRA = (
    Contender(
        lambda w, seed: _surrogate(w, seed, "gp", aware=True),
        {"value": "surrogate_aware_proposals", "aware": "surrogate_aware_both"},
    ),
    Contender(
        lambda w, seed: _surrogate(w, seed, "forest"),
        {"value": "surrogate_forest", "aware": "surrogate_forest_aware"},
    ),
)
"""Searched for only where ``--only`` names them."""
TWINS = {
    "random_aware": "random",
    "local_aware": "local",
    "evolution_aware_pick": "evolution",
    "evolution_aware_parents": "evolution",
    "evolution_aware": "evolution",
    "surrogate_aware": "surrogate",
    "surrogate_aware_proposals": "surrogate",
    "surrogate_aware_both": "surrogate",
    "na_random": "random",
    "na_evolution": "evolution",
}
"""Neighborhood-aware searchers, each with the plain one that it is held against."""


class Search:
    """One search over a table, with its budget.

    ``price`` is what a neighbor costs, in evaluations; a proposal costs one. The search ends
    with the first proposal for which the budget has no room.
    """

    def __init__(
        self,
        shared: World,
        dataset: str,
        contender: Contender,
        seed: int,
        evaluations: int,
        price: float = 1.0,
    ):
        self._world = shared
        self._values = shared.table.search[dataset]
        self._judged = shared.table.judged[dataset]
        self._contender = contender
        self._seed = seed
        self._evaluations = evaluations
        self._price = price
        self._networks: set[int] = set()
        self._centers: list[Architecture] = []
        self._found: list[float] = []
        self.spent = 0.0
        self.curve: list[dict[Rule, Figures]] = []

    def run(self) -> dict[Rule, Figures]:
        """What the picks are worth in the end; :attr:`curve` has what they were on the way."""
        searcher = self._contender.make(self._world, self._seed)
        space = self._world.space
        # Random draws repeat themselves, and the table is finite: a bound for prices near zero.
        draws, room = 0, True
        while room and draws < 20 * space.size:
            asked: Sequence[Candidate] = searcher.ask(searcher.batch or 1)
            if not asked:
                break
            draws += len(asked)
            for candidate in asked:
                outcome = self._measured(candidate.architecture)
                room = outcome is not None
                if outcome is None:
                    break
                searcher.tell(candidate, outcome)
                self._mark()
        ends = self._picked()
        self.curve += [ends] * (MARKS - len(self.curve))
        return ends

    def _measured(self, architecture: Architecture) -> Outcome | None:
        rank = architecture.rank
        known = int(self._world.table.network[rank]) in self._networks
        if not self._pay(rank, 1.0):
            return None
        found = float(self._values[rank])
        values = {"accuracy": found}
        if self._contender.measured:
            near = [neighbor.rank for neighbor, _ in self._world.variation.neighbors(architecture)]
            ball = [found]
            for neighbor in generator(self._seed, "ball", rank).sample(near, NEIGHBORS):
                if not self._pay(neighbor, self._price):
                    return None
                ball.append(float(self._values[neighbor]))
            found = values[SCORE] = float(np.mean(ball))
        if not known or self._contender.measured:
            self._centers.append(architecture)
            self._found.append(found)
        return Outcome("complete", values)

    def _pay(self, rank: int, cost: float) -> bool:
        """Measures a network where there is room or it is known; whether it is measured."""
        network = int(self._world.table.network[rank])
        if network in self._networks:
            return True
        if self.spent + cost > self._evaluations + 1e-9:
            return False
        self._networks.add(network)
        self.spent += cost
        return True

    def _mark(self) -> None:
        """Judges what would be picked now, once for every mark that is passed."""
        while len(self.curve) < MARKS - 1:
            if self.spent < self._evaluations * (len(self.curve) + 1) / MARKS - 1e-9:
                return
            self.curve.append(self._picked())

    def _picked(self) -> dict[Rule, Figures]:
        return {rule: self._worth(self._pick(rule)) for rule in self._contender.picks}

    def _pick(self, rule: Rule) -> int:
        assert self._found, "the budget has room for one proposal"
        index = int(np.argmax(self._found))
        if rule == "aware":
            shared = self._world
            index = recommended(
                self._centers,
                self._found,
                shared.variation,
                shared.features,
                derive(self._seed, "pick"),
            )
        return self._centers[index].rank

    def _worth(self, rank: int) -> Figures:
        worth = {name: float(column[rank]) for name, column in self._judged.items()}
        return {**worth, "val12": float(self._values[rank])}
