"""Which searcher finds the best network of a table, at equal numbers of evaluations?

    python examples/studies/neighborhood_search.py --json neighborhood_search.json

Each searcher looks for the best cell of NAS-Bench-201 by its validation accuracy after 12 epochs
and is judged by what it picks: test accuracy after 200 epochs, mean accuracy over the 15
corruptions at five severities, and accuracy under a PGD attack at 1/255. An evaluation is one
network measured; networks measured as neighbors count, networks measured before do not. Nothing
is trained: the figures are the published ones of Dong and Yang (2020) and of Jung, Lukasik and
Keuper (2023). Cells that are isomorphic count as one network.

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
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

import nasdsl
from nasdsl.search import Candidate, Outcome, Searcher
from nasdsl.search.evolution import RegularizedEvolution
from nasdsl.search.local import LocalSearch
from nasdsl.search.na_evolution import NeighborhoodAwareEvolution
from nasdsl.search.random_search import RandomSearch
from nasdsl.search.surrogate import SurrogateSearch
from nasdsl.search.variation import Variation
from nasdsl.seeding import generator
from nasdsl.space import Architecture, Space

Array = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[2]
SPACE = Path(__file__).with_suffix(".nas")
DATASETS = ("cifar10", "cifar100", "imagenet16")
CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "snow", "frost", "fog", "brightness", "contrast", "elastic_transform",
    "pixelate", "jpeg_compression",
)  # fmt: skip
NEIGHBORS = 6
"""Neighbors drawn for each center of a neighborhood-aware searcher."""
SCORE = "flatness.neighborhood"


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
class Contender:
    """A searcher of the study.

    Attributes:
        name: in the figures.
        make: (space, seed, what makes two architectures one) -> searcher.
        aware: whether each proposal's neighborhood is measured too, and picks the best.
    """

    name: str
    make: Callable[[Space, int, Callable[[Architecture], Any]], Searcher]
    aware: bool = False


NA_SETTINGS = {"population": 20, "tournament": 5, "batch": 1, "neighbors": NEIGHBORS}
CONTENDERS = (
    Contender("random", lambda space, seed, one: RandomSearch(space, seed)),
    Contender("local", lambda space, seed, one: LocalSearch(space, seed, identity=one)),
    Contender(
        "evolution", lambda space, seed, one: RegularizedEvolution(space, seed, identity=one)
    ),
    Contender(
        "surrogate", lambda space, seed, one: SurrogateSearch(space, seed, "gp", identity=one)
    ),
    Contender(
        "surrogate_forest",
        lambda space, seed, one: SurrogateSearch(space, seed, "forest", identity=one),
    ),
    Contender(
        "surrogate_aware",
        lambda space, seed, one: SurrogateSearch(space, seed, "gp", aware=True, identity=one),
    ),
    Contender("na_random", lambda space, seed, one: RandomSearch(space, seed), aware=True),
    Contender(
        "na_evolution",
        lambda space, seed, one: NeighborhoodAwareEvolution(space, seed, NA_SETTINGS, one),
        aware=True,
    ),
)


def search(
    space: Space,
    variation: Variation,
    table: Table,
    dataset: str,
    contender: Contender,
    seed: int,
    evaluations: int,
    price: float = 1.0,
) -> dict[str, float]:
    """One search: what its pick is worth, and what it cost.

    ``price`` is what a neighbor costs, in evaluations; a center costs one. The search ends with
    the first proposal for which the budget has no room.
    """
    values = table.search[dataset]
    measured: set[int] = set()
    spent = 0.0
    best: tuple[float, int] | None = None

    def pay(rank: int, cost: float) -> bool:
        """Measures a network where there is room or it is known; whether it is measured."""
        nonlocal spent
        network = int(table.network[rank])
        if network in measured:
            return True
        if spent + cost > evaluations + 1e-9:
            return False
        measured.add(network)
        spent += cost
        return True

    def one(architecture: Architecture) -> int:
        return int(table.network[architecture.rank])

    searcher = contender.make(space, seed, one)
    room = True
    # Random draws repeat themselves, and the table is finite: a bound for prices near zero.
    draws = 0
    while room and draws < 20 * space.size:
        asked: Sequence[Candidate] = searcher.ask(searcher.batch or 1)
        if not asked:
            break
        draws += len(asked)
        for candidate in asked:
            rank = candidate.architecture.rank
            room = room and pay(rank, 1.0)
            if not room:
                break
            found = float(values[rank])
            outcome = {"accuracy": found}
            if contender.aware:
                ball = [found]
                near = [
                    neighbor.rank for neighbor, _ in variation.neighbors(candidate.architecture)
                ]
                for neighbor in generator(seed, "ball", rank).sample(near, NEIGHBORS):
                    room = room and pay(neighbor, price)
                    ball.append(float(values[neighbor]))
                if not room:
                    break
                found = outcome[SCORE] = float(np.mean(ball))
            searcher.tell(candidate, Outcome("complete", outcome))
            if best is None or found > best[0]:
                best = (found, rank)
    assert best is not None, "the budget has room for one proposal"
    return {
        **{name: float(column[best[1]]) for name, column in table.judged[dataset].items()},
        "val12": float(values[best[1]]),
        "spent": spent,
        "proposed": float(draws),
    }


def summary(runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Mean over the seeds, and the half width of its 95 % interval (1.96 standard errors)."""
    found: dict[str, Any] = {"seeds": len(runs)}
    for name in runs[0]:
        column = np.array([run[name] for run in runs])
        error = column.std(ddof=1) / np.sqrt(len(column)) if len(column) > 1 else 0.0
        found[name] = {"mean": float(column.mean()), "half_width": float(1.96 * error)}
    return found


_SHARED: dict[Path, tuple[Space, Variation, Table]] = {}


def shared(folder: Path) -> tuple[Space, Variation, Table]:
    """The space and the table, read once in each process."""
    if folder not in _SHARED:
        space = nasdsl.load(SPACE)
        _SHARED[folder] = (space, Variation(space), read_table(space, folder))
    return _SHARED[folder]


def _one(
    folder: Path, dataset: str, name: str, seeds: Sequence[int], evaluations: int, price: float
) -> list[dict[str, float]]:
    space, variation, table = shared(folder)
    (contender,) = (c for c in CONTENDERS if c.name == name)
    return [
        search(space, variation, table, dataset, contender, s, evaluations, price) for s in seeds
    ]


def study(
    folder: Path,
    seeds: int,
    evaluations: int,
    jobs: int = 2,
    names: Sequence[str] = tuple(c.name for c in CONTENDERS),
    prices: Sequence[float] = (0.25, 0.125, 0.0),
) -> dict[str, Any]:
    """All figures of the study."""
    aware = [c.name for c in CONTENDERS if c.aware and c.name in names]
    cells = [(d, n, 1.0) for d in DATASETS for n in names]
    cells += [("cifar10", n, price) for price in prices for n in aware]
    size = max(1, min(10, seeds // max(jobs, 1)))
    parts = [range(k, min(k + size, seeds)) for k in range(0, seeds, size)]
    tasks = [(cell, part) for cell in cells for part in parts]
    found = Parallel(n_jobs=jobs)(
        delayed(_one)(folder, d, n, part, evaluations, price) for (d, n, price), part in tasks
    )
    runs: dict[Any, list[dict[str, float]]] = {cell: [] for cell in cells}
    for (cell, _), part_runs in zip(tasks, found, strict=True):
        runs[cell] += part_runs
    return {
        "evaluations": evaluations,
        "neighbors": NEIGHBORS,
        "results": {d: {n: summary(runs[d, n, 1.0]) for n in names} for d in DATASETS},
        "prices": {
            str(price): {n: summary(runs["cifar10", n, price]) for n in aware} for price in prices
        },
    }


def main() -> None:
    """Runs the study, prints its tables, and writes the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="(default 100)")
    parser.add_argument("--evaluations", type=int, default=300, metavar="N", help="(default 300)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default 2)")
    parser.add_argument("--quick", action="store_true", help="3 seeds of 100 evaluations")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these searchers alone")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder of the data")
    given = parser.parse_args()
    fallback = os.environ.get("NASDSL_DATA") or ROOT.parent / "shared" / "data"
    folder = given.data or Path(fallback)
    if not (folder / "nasbench201_accuracy.csv.gz").is_file():
        parser.error(f"there is no nasbench201_accuracy.csv.gz in {folder}")
    known = [c.name for c in CONTENDERS]
    if given.only and not set(given.only) <= set(known):
        parser.error(f"the searchers are: {', '.join(known)}")
    started = time.monotonic()
    seeds, evaluations = (3, 100) if given.quick else (given.seeds, given.evaluations)
    found = study(folder, seeds, evaluations, given.jobs, given.only or known)
    found["seconds"] = time.monotonic() - started
    for dataset, rows in found["results"].items():
        print(f"\n{dataset}, {evaluations} evaluations, {seeds} seeds")
        for name, row in rows.items():
            shown = "  ".join(
                f"{key} {row[key]['mean']:.2f}±{row[key]['half_width']:.2f}"
                for key in ("test200", "corruptions", "pgd")
                if key in row
            )
            print(f"  {name:17s} {shown}")
    for price, rows in found["prices"].items():
        for name, row in rows.items():
            print(f"cifar10, a neighbor costs {price}: {name} {row['test200']['mean']:.2f}")
    print(f"\n{found['seconds']:.0f} s")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
