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

import math
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasbench_table import ACCURACY, DATASETS, ROBUSTNESS, world
from study_frame import check, interval, options, write_json
from table_search import (
    CONTENDERS,
    EXTRA,
    MARKS,
    NEIGHBORS,
    TWINS,
    Contender,
    Figures,
    Rule,
    Search,
)
from threadpoolctl import threadpool_limits

JUDGED = ("test200", "corruptions", "pgd")
PRICES = (0.25, 0.125, 0.0)
"""What a neighbor costs beside 1, in evaluations."""
CHUNK = 10
"""Seeds that a process takes at once."""


def estimate(column: Sequence[float]) -> dict[str, float]:
    """Mean, and half the width of its 95 % interval by Student's t; 0 for a single value."""
    mean, _, high = interval(column)
    return {"mean": mean, "half_width": high - mean if math.isfinite(high) else 0.0}


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
    parser = options(__doc__, 100, "searches of each kind", "2 seeds of 30 evaluations")
    parser.add_argument("--evaluations", type=int, default=300, metavar="N", help="(default 300)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default 2)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these searchers alone")
    given = parser.parse_args()
    check(parser, given, (ACCURACY, ROBUSTNESS))
    known = {c.name: c for c in (*CONTENDERS, *EXTRA)}
    if given.only and not set(given.only) <= set(known):
        parser.error(f"the searchers are: {', '.join(known)}")
    contenders = [known[n] for n in given.only] if given.only else CONTENDERS
    started, processor = time.monotonic(), os.times()
    seeds, evaluations = (2, 30) if given.quick else (given.seeds, given.evaluations)
    found = study(given.data, seeds, evaluations, given.jobs, contenders)
    found["optima"] = optima(given.data)
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
    write_json(given.json, found)


if __name__ == "__main__":
    main()
