"""How many architectures, neighbors and networks a second a space gives.

    python -m benchmarks.spaces

The NAS-Bench-201 cell, one process and one thread; every rate is the median of several rounds, in
which the rows take turns. Optuna, where it is installed, samples the same six decisions.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import click

import nasdsl
from nasdsl.seeding import generator

SPACES = Path(__file__).parents[1] / "spaces"
CELL = SPACES / "nasbench201.nas"
LIMITED = 'use "mobilenetv3_ofa.nas"\nrequire params <= 4.5M\n'


def sampling(number: int) -> Callable[[int], int]:
    space = nasdsl.load(CELL)

    def run(turn: int) -> int:
        return sum(len(a.decisions) == 6 for a in space.samples(number, seed=turn))

    return run


def neighbors(number: int, identified: bool) -> Callable[[int], int]:
    """Neighbors of fresh centers; identified: as networks, each fingerprint counted once."""
    space = nasdsl.load(CELL)

    def run(turn: int) -> int:
        found = 0
        for center in space.samples(number, seed=("center", turn)):
            near = space.neighbors(center)
            if identified:
                assert len({n.fingerprint for n in near}) <= 24
            found += sum(n.decisions is not None for n in near)
        return found

    return run


def networks(number: int) -> Callable[[int], int]:
    """Live networks with the type and cost of every node."""
    space = nasdsl.load(CELL)

    def run(turn: int) -> int:
        made = space.samples(number, seed=("network", turn))
        return sum(a.network.macs >= 0 and a.network.params >= 0 for a in made)

    return run


def limited(number: int, tight: bool) -> Callable[[int], int]:
    """Once-for-all networks, uniform: any, or those of at most 4.5 million parameters."""
    space = nasdsl.load(LIMITED)
    draw = generator("benchmark", "limited")

    def run(turn: int) -> int:
        if tight:
            return len(space.samples(number, seed=turn))
        return len([space[draw.randrange(space.size)].decisions for _ in range(number)])

    return run


def optuna_sampling(number: int) -> Callable[[int], int]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    values = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]

    def run(turn: int) -> int:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=turn + 1))
        for _ in range(number):
            trial = study.ask()
            for edge in range(6):
                trial.suggest_categorical(f"edge{edge}", values)
        return number

    return run


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--scale", default=1.0, show_default=True, help="How much work in a round.")
def main(rounds: int, scale: float) -> None:
    def n(number: int) -> int:
        return max(1, round(number * scale))

    rows: dict[str, Callable[[int], int]] = {
        "sampling": sampling(n(20_000)),
        "neighbors, as decisions": neighbors(n(400), identified=False),
        "neighbors, with fingerprints": neighbors(n(8), identified=True),
        "networks with shapes and costs": networks(n(200)),
        "once-for-all, uniform": limited(n(300), tight=False),
        "once-for-all, at most 4.5 M parameters": limited(n(300), tight=True),
    }
    if importlib.util.find_spec("optuna") is not None:
        rows["sampling, Optuna"] = optuna_sampling(n(200))
    for run in rows.values():
        run(-1)
    rates: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(rounds):
        for name, run in rows.items():
            start = perf_counter()
            done = run(turn)
            rates[name].append(done / (perf_counter() - start))
    facts = {
        "benchmark": "spaces",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "load": os.getloadavg()[0],
        "rounds": rounds,
    }
    print(json.dumps({**facts, "per_second": rates}))
    for name, found in rates.items():
        print(f"| {name} | {statistics.median(found):,.0f} | {min(found):,.0f}-{max(found):,.0f} |")


if __name__ == "__main__":
    main()
