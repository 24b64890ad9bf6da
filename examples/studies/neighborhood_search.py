"""Which searcher finds the best network of a table, at equal numbers of evaluations?

    python examples/studies/neighborhood_search.py --json neighborhood_search.json

Each searcher looks for the best cell of NAS-Bench-201 by its validation accuracy after 12 epochs
and is judged by what it picks: test accuracy after 200 epochs, mean accuracy over the 15
corruptions at five severities, and accuracy under a PGD attack at 1/255. An evaluation is one
network measured; networks measured as neighbors count, networks measured before do not. Nothing
is trained: the figures are the published ones of Dong and Yang (2020) and of Jung, Lukasik and
Keuper (2023). Cells that are isomorphic count as one network.

Two kinds of searchers look at neighborhoods. ``na_random`` and ``na_evolution`` have some
neighbors of each proposal measured, and pay for them. Those whose name ends in ``_aware`` pay
for nothing more than their plain twins: what they know of a neighborhood is what was measured
anyhow, and what a model predicts from it. ``neighborhood_search_page.py`` writes the page.

The folder of the data, ``--data``, else the environment variable NASDSL_DATA, else
``../shared/data`` beside the project, holds nasbench201_accuracy.csv.gz and
nasbench201_robustness_jung2023.csv.gz. Every figure is a function of the numbers of seeds and
evaluations.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

import nasdsl
from nasdsl.search import Candidate, Outcome, Searcher
from nasdsl.search.evolution import RegularizedEvolution
from nasdsl.search.features import Features
from nasdsl.search.local import LocalSearch
from nasdsl.search.na_evolution import NeighborhoodAwareEvolution
from nasdsl.search.random_search import RandomSearch
from nasdsl.search.recommend import recommended
from nasdsl.search.surrogate import SurrogateSearch
from nasdsl.search.variation import Variation
from nasdsl.seeding import derive, generator
from nasdsl.space import Architecture, Space

Array = NDArray[np.float64]
Figures = dict[str, float]
Rule = Literal["value", "aware"]

ROOT = Path(__file__).resolve().parents[2]
SPACE = Path(__file__).with_suffix(".nas")
DATASETS = ("cifar10", "cifar100", "imagenet16")
CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "snow", "frost", "fog", "brightness", "contrast", "elastic_transform",
    "pixelate", "jpeg_compression",
)  # fmt: skip
JUDGED = ("test200", "corruptions", "pgd")
NEIGHBORS = 6
"""Neighbors measured with each proposal of a searcher that measures neighborhoods."""
SCORE = "flatness.neighborhood"
PRICES = (0.25, 0.125, 0.0)
"""What a neighbor costs beside 1, in evaluations."""
MARKS = 6
"""How often on the way what a search would pick is judged."""
CHUNK = 10
"""Seeds that a process takes at once."""


@dataclass(frozen=True)
class Table:
    """Published values by rank of the space, each of shape (15625,), accuracies in percent.

    Attributes:
        network: the class of isomorphic cells.
        search: validation accuracy after 12 epochs, by data set.
        judged: what a pick is judged by, by data set and name.
    """

    network: NDArray[np.int64]
    search: Mapping[str, Array]
    judged: Mapping[str, Mapping[str, Array]]


def read_table(space: Space, folder: Path) -> Table:
    """Both files, put in the order of the space's ranks."""

    def rows(name: str) -> list[dict[str, str]]:
        with gzip.open(folder / name, "rt", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    by_key = {row["arch_str"]: row for row in rows("nasbench201_accuracy.csv.gz")}
    cells = [by_key[str(architecture.key)] for architecture in space]
    robust = rows("nasbench201_robustness_jung2023.csv.gz")
    index = next(name for name in ("arch_index", "iso_index") if name in robust[0])
    by_class = {row[index]: row for row in robust}

    def of_classes(values: Callable[[Mapping[str, str]], float]) -> Array:
        worked_out = {name: values(row) for name, row in by_class.items()}
        return np.array([worked_out[cell["iso_index"]] for cell in cells])

    def mean_corrupted(dataset: str) -> Array:
        names = [f"{dataset}_{c}_s{s}" for c in CORRUPTIONS for s in range(1, 6)]
        return of_classes(lambda row: 100 * float(np.mean([float(row[n]) for n in names])))

    judged: dict[str, dict[str, Array]] = {}
    for dataset in DATASETS:
        test = np.array([float(cell[f"test200_{dataset}"]) for cell in cells])
        pgd = f"{dataset}_pgd_eps1"
        judged[dataset] = {
            "test200": test,
            "pgd": of_classes(lambda row, pgd=pgd: 100 * float(row[pgd])),  # type: ignore[misc]
        }
        if f"{dataset}_fog_s1" in robust[0]:
            judged[dataset]["corruptions"] = mean_corrupted(dataset)
    return Table(
        np.array([int(cell["iso_index"]) for cell in cells]),
        {d: np.array([float(cell[f"val12_{d}"]) for cell in cells]) for d in DATASETS},
        judged,
    )


@dataclass(frozen=True)
class World:
    """What all searches share: nothing of it depends on a search."""

    space: Space
    table: Table
    variation: Variation
    features: Features

    def one(self, architecture: Architecture) -> Hashable:
        """What two architectures have in common that are one network."""
        return int(self.table.network[architecture.rank])


@lru_cache
def world(folder: Path) -> World:
    """The space, its table, and the features of all its architectures."""
    space = nasdsl.load(SPACE)
    found = World(space, read_table(space, folder), Variation(space), Features())
    found.features.rows(list(space))
    return found


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


def estimate(column: Sequence[float]) -> dict[str, float]:
    """Mean, and half the width of its 95 % interval by Student's t; 0 for a single value."""
    values = np.array(column, dtype=np.float64)
    if len(values) < 2:
        return {"mean": float(values.mean()), "half_width": 0.0}
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {
        "mean": float(values.mean()),
        "half_width": float(student.ppf(0.975, len(values) - 1)) * error,
    }


@dataclass(frozen=True)
class Cell:
    """One searcher on one data set at one price."""

    dataset: str
    name: str
    price: float = 1.0


def _searched(
    folder: Path, cell: Cell, seeds: Sequence[int], evaluations: int
) -> list[tuple[dict[Rule, Figures], list[dict[Rule, Figures]]]]:
    contender = next(c for c in (*CONTENDERS, *EXTRA) if c.name == cell.name)
    found = []
    # Each process is busy by itself; threads of the linear algebra would be in its way.
    with threadpool_limits(1):
        for seed in seeds:
            one = Search(world(folder), cell.dataset, contender, seed, evaluations, cell.price)
            found.append((one.run(), one.curve))
    return found


def study(
    folder: Path,
    seeds: int,
    evaluations: int,
    jobs: int = 2,
    contenders: Sequence[Contender] = CONTENDERS,
    prices: Sequence[float] = PRICES,
) -> dict[str, Any]:
    """All figures of the study."""
    cells = [Cell(d, c.name) for d in DATASETS for c in contenders]
    cells += [Cell("cifar10", c.name, p) for p in prices for c in contenders if c.measured]
    parts = [range(k, min(k + CHUNK, seeds)) for k in range(0, seeds, CHUNK)]
    tasks = [(cell, part) for cell in cells for part in parts]
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    if method is not None:
        world(folder)  # the processes inherit it
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = [pool.submit(_searched, folder, c, part, evaluations) for c, part in tasks]
        found = [future.result() for future in waiting]
    runs: dict[Cell, list[Any]] = {cell: [] for cell in cells}
    for (cell, _), part_runs in zip(tasks, found, strict=True):
        runs[cell] += part_runs
    return gathered(runs, contenders, seeds, evaluations, prices)


def gathered(
    runs: Mapping[Cell, Sequence[Any]],
    contenders: Sequence[Contender],
    seeds: int,
    evaluations: int,
    prices: Sequence[float],
) -> dict[str, Any]:
    """The runs as means with intervals, curves, and differences between twins, seed by seed."""
    columns: dict[tuple[str, float, str], dict[str, list[float]]] = {}
    curves: dict[str, dict[str, Any]] = {d: {} for d in DATASETS}
    for cell, found in runs.items():
        contender = next(c for c in contenders if c.name == cell.name)
        for rule, name in contender.picks.items():
            judged = [m for m in (*JUDGED, "val12") if m in found[0][0][rule]]
            ends = {m: [run[rule][m] for run, _ in found] for m in judged}
            columns[cell.dataset, cell.price, name] = ends
            if cell.price == 1.0:
                curves[cell.dataset][name] = {
                    m: [estimate([c[k][rule][m] for _, c in found]) for k in range(MARKS)]
                    for m in judged
                }
    twins = {
        (d, p, name): TWINS[name]
        for d, p, name in columns
        if name in TWINS and (d, 1.0, TWINS[name]) in columns
    }

    def rows(dataset: str, price: float) -> dict[str, Any]:
        return {
            name: {m: estimate(c) for m, c in ends.items()}
            for (d, p, name), ends in columns.items()
            if (d, p) == (dataset, price)
        }

    def differences(dataset: str, price: float) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for (d, p, name), twin in twins.items():
            if (d, p) == (dataset, price):
                mine, other = columns[d, p, name], columns[d, 1.0, twin]
                found[name] = {"twin": twin} | {
                    m: estimate([a - b for a, b in zip(mine[m], other[m], strict=True)])
                    for m in mine
                }
        return found

    return {
        "seeds": seeds,
        "evaluations": evaluations,
        "neighbors": NEIGHBORS,
        "marks": [evaluations * (k + 1) / MARKS for k in range(MARKS)],
        "results": {d: rows(d, 1.0) for d in DATASETS},
        "differences": {d: differences(d, 1.0) for d in DATASETS},
        "curves": curves,
        "prices": {
            str(p): {"results": rows("cifar10", p), "differences": differences("cifar10", p)}
            for p in prices
        },
    }


def optima(folder: Path) -> dict[str, Any]:
    """The greatest values of the table, and what cells of the best search value are worth."""
    table = world(folder).table
    found: dict[str, Any] = {}
    for dataset in DATASETS:
        search = table.search[dataset]
        best = search == search.max()
        columns = table.judged[dataset]
        found[dataset] = {
            "greatest": {m: float(column.max()) for m, column in columns.items()},
            "of_best_val12": {m: float(column[best].mean()) for m, column in columns.items()},
            "cells_of_best_val12": int(best.sum()),
        }
    return found


def main() -> None:
    """Runs the study, prints its tables, and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="(default 100)")
    parser.add_argument("--evaluations", type=int, default=300, metavar="N", help="(default 300)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default 2)")
    parser.add_argument("--quick", action="store_true", help="3 seeds of 60 evaluations")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these searchers alone")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder of the data")
    given = parser.parse_args()
    fallback = os.environ.get("NASDSL_DATA") or ROOT.parent / "shared" / "data"
    folder = Path(given.data or fallback)
    if not (folder / "nasbench201_accuracy.csv.gz").is_file():
        parser.error(f"there is no nasbench201_accuracy.csv.gz in {folder}")
    known = {c.name: c for c in (*CONTENDERS, *EXTRA)}
    if given.only and not set(given.only) <= set(known):
        parser.error(f"the searchers are: {', '.join(known)}")
    contenders = [known[n] for n in given.only] if given.only else CONTENDERS
    started, processor = time.monotonic(), os.times()
    seeds, evaluations = (3, 60) if given.quick else (given.seeds, given.evaluations)
    found = study(folder, seeds, evaluations, given.jobs, contenders)
    found["optima"] = optima(folder)
    ended = os.times()
    found["jobs"] = given.jobs
    found["seconds"] = time.monotonic() - started
    found["processor_seconds"] = sum(ended[:4]) - sum(processor[:4])
    for dataset, rows in found["results"].items():
        print(f"\n{dataset}, {evaluations} evaluations, {seeds} seeds")
        for name, row in rows.items():
            shown = "  ".join(
                f"{key} {row[key]['mean']:.2f}±{row[key]['half_width']:.2f}"
                for key in JUDGED
                if key in row
            )
            print(f"  {name:24s} {shown}")
    for price, both in found["prices"].items():
        for name, row in both["results"].items():
            print(f"cifar10, a neighbor costs {price}: {name} {row['test200']['mean']:.2f}")
    print(f"\n{found['seconds']:.0f} s, of the processors {found['processor_seconds']:.0f} s")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
