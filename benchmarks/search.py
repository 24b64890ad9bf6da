"""How much of the Pareto front do searchers find? NSGA-II and others on the NAS-Bench-201 table.

    python benchmarks/search.py --json search.json

Goals: the most validation accuracy after 200 epochs on CIFAR-10 and the fewest parameters, as
published by Dong and Yang (2020). Measured by the hypervolume of what was found, with the worst
of each goal over the table as the reference point, as a part of the whole table's. An evaluation
is one cell; a cell that was measured before costs nothing, so that searchers that repeat
themselves are not punished for it, as long as they find anything new. pymoo and Optuna are
measured where they are installed, with populations of 20, as ours, and of their own defaults.

The folder of the data, ``--data``, else the environment variable NASDSL_DATA, else
``../shared/data`` beside the project, holds nasbench201_accuracy.csv.gz.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import nasdsl
from nasdsl.search.features import Features
from nasdsl.search.nsga2 import Nsga2
from nasdsl.search.random_search import RandomSearch
from nasdsl.search.searcher import Outcome, Searcher
from nasdsl.search.surrogate import SurrogateSearch
from nasdsl.search.variation import Variation
from nasdsl.space import Architecture, Space
from nasdsl.study.pareto import hypervolume

ROOT = Path(__file__).resolve().parents[1]
TEXT = ROOT / "examples" / "studies" / "neighborhood_search.nas"
MARKS = (100, 200, 300, 500, 1000)
SHORT = 300
MAXIMIZE = (True, False)
OPERATIONS = 5
EDGES = 6
IDLE = 20_000
"""Proposals in a row that repeat known cells before a searcher is taken to have ended."""

Value = tuple[float, float]
Source = Callable[[int], Iterator[tuple[int, Callable[[Value], object]]]]
"""seed -> proposals, each a rank and what takes its value."""


def space_of_two_goals() -> Space:
    text = TEXT.read_text(encoding="utf-8")
    return nasdsl.load(
        text.replace("{ maximize accuracy }", "{ maximize accuracy, minimize params }")
    )


def read_values(space: Space, folder: Path) -> list[Value]:
    """Accuracy in percent and millions of parameters, by rank."""
    path = folder / "nasbench201_accuracy.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = {row["arch_str"]: row for row in csv.DictReader(file)}
    cells = [rows[str(architecture.key)] for architecture in space]
    return [(float(c["val200_cifar10"]), float(c["params_m_cifar10"])) for c in cells]


def ours(make: Callable[[int], Searcher]) -> Source:
    def proposals(seed: int) -> Iterator[tuple[int, Callable[[Value], object]]]:
        searcher = make(seed)
        while asked := searcher.ask(searcher.batch or 1):
            for candidate in asked:

                def take(value: Value, candidate: Any = candidate) -> None:
                    named = {"accuracy": value[0], "params": value[1]}
                    searcher.tell(candidate, Outcome("complete", named))

                yield candidate.architecture.rank, take

    return proposals


def of_pymoo(rank_of: Callable[[Sequence[int]], int], population: int) -> Source:
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.pntx import TwoPointCrossover
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling

    def proposals(seed: int) -> Iterator[tuple[int, Callable[[Value], object]]]:
        algorithm = NSGA2(
            pop_size=population,
            sampling=IntegerRandomSampling(),
            crossover=TwoPointCrossover(repair=RoundingRepair()),
            mutation=PM(vtype=float, repair=RoundingRepair()),
            eliminate_duplicates=True,
        )
        problem = Problem(n_var=EDGES, n_obj=2, xl=0, xu=OPERATIONS - 1, vtype=int)
        algorithm.setup(problem, termination=("n_gen", 10_000), seed=seed, verbose=False)
        while algorithm.has_next():
            asked = algorithm.ask()
            if asked is None or len(asked) == 0:
                return
            costs: list[Value] = []
            for row in asked.get("X"):
                take = partial(_to_costs, costs)
                yield rank_of([int(x) for x in row]), take
            asked.set("F", np.array(costs))
            algorithm.tell(infills=asked)

    return proposals


def _to_costs(costs: list[Value], value: Value) -> None:
    costs.append((-value[0], value[1]))


def of_optuna(rank_of: Callable[[Sequence[int]], int], population: int) -> Source:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def proposals(seed: int) -> Iterator[tuple[int, Callable[[Value], object]]]:
        sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
        study = optuna.create_study(sampler=sampler, directions=["maximize", "minimize"])
        while True:
            trial = study.ask()
            codes = [
                trial.suggest_categorical(f"edge{e}", list(range(OPERATIONS))) for e in range(EDGES)
            ]
            yield rank_of(codes), partial(study.tell, trial)

    return proposals


def found_by(source: Source, seed: int, values: Sequence[Value], budget: int) -> list[int]:
    """The ranks of the first ``budget`` different cells, in their order."""
    order: dict[int, None] = {}
    idle = 0
    for rank, take in source(seed):
        if rank not in order:
            if len(order) == budget:
                break
            order[rank] = None
            idle = 0
        else:
            idle += 1
            if idle > IDLE:
                break
        take(values[rank])
    return list(order)


def sources(space: Space) -> dict[str, tuple[Source, int]]:
    """By name: what proposes, and up to how many evaluations it is followed."""
    variation, features = Variation(space), Features()

    def same(architecture: Architecture) -> int:
        return architecture.rank

    def nsga2(seed: int) -> Searcher:
        return Nsga2(space, seed, identity=same, variation=variation)

    def surrogate(seed: int) -> Searcher:
        return SurrogateSearch(space, seed, identity=same, variation=variation, features=features)

    found: dict[str, tuple[Source, int]] = {
        "nsga2": (ours(nsga2), MARKS[-1]),
        "random": (ours(lambda seed: RandomSearch(space, seed)), MARKS[-1]),
        "surrogate": (ours(surrogate), SHORT),
    }
    assert space.flat is not None, "the space is a plain product of its edges"
    strides = [digit.stride for digit in space.flat.digits]

    def rank_of(codes: Sequence[int]) -> int:
        return sum(c * s for c, s in zip(codes, strides, strict=True))

    if find_spec("pymoo"):
        found["pymoo NSGA2, population 20"] = (of_pymoo(rank_of, 20), MARKS[-1])
        found["pymoo NSGA2, population 100"] = (of_pymoo(rank_of, 100), MARKS[-1])
    if find_spec("optuna"):
        found["optuna NSGAII, population 20"] = (of_optuna(rank_of, 20), SHORT)
        found["optuna NSGAII, population 50"] = (of_optuna(rank_of, 50), SHORT)
    return found


def measure(folder: Path, seeds: int, only: Sequence[str] = ()) -> dict[str, Any]:
    space = space_of_two_goals()
    values = read_values(space, folder)
    reference = (min(v[0] for v in values), max(v[1] for v in values))
    whole = hypervolume(values, MAXIMIZE, reference)
    results: dict[str, Any] = {}
    for name, (source, most) in sources(space).items():
        if only and name.split()[0] not in only:
            continue
        marks = [m for m in MARKS if m <= most]
        started = time.process_time()
        parts = []
        for seed in range(seeds):
            ranks = found_by(source, seed, values, most)
            parts.append(
                [
                    hypervolume([values[r] for r in ranks[:m]], MAXIMIZE, reference) / whole
                    for m in marks
                ]
            )
        columns = np.array(parts)
        errors = columns.std(axis=0, ddof=1) / np.sqrt(seeds) if seeds > 1 else 0 * columns[0]
        results[name] = {
            "evaluations": marks,
            "mean": [float(x) for x in columns.mean(axis=0)],
            "half_width": [float(1.96 * x) for x in errors],
            "least": [float(x) for x in columns.min(axis=0)],
            "processor_seconds": time.process_time() - started,
        }
        shown = "  ".join(
            f"{m}: {100 * a:.2f}±{100 * h:.2f}"
            for m, a, h in zip(
                marks, results[name]["mean"], results[name]["half_width"], strict=True
            )
        )
        print(f"{name:30s} {shown}", flush=True)
    return {
        "seeds": seeds,
        "reference": {"val200": reference[0], "params_m": reference[1]},
        "hypervolume": whole,
        "parts": results,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="(default 20)")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="these alone")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder of the data")
    given = parser.parse_args()
    fallback = os.environ.get("NASDSL_DATA") or ROOT.parent / "shared" / "data"
    found = measure(Path(given.data or fallback), given.seeds, given.only)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
