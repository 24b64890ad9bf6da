"""How many architectures, neighbors and networks a second a space gives.

    python -m benchmarks.spaces
    python -m benchmarks.spaces --peer Optuna=PYTHON --peer NNI=PYTHON

The NAS-Bench-201 cell, one thread; every rate is the median of several rounds, in which the rows take
turns. Other libraries do the same in processes of their own (``benchmarks/peers.py``): those that
this Python has, and those that another interpreter has (``--peer`` gives its path). For the others it is told how to
install them.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import click

import nasdsl
from benchmarks.peers import PEERS, Process
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


def started(given: tuple[str, ...]) -> tuple[dict[str, Process], dict[str, str]]:
    """The peers that run, and why the others do not."""
    named = dict(g.split("=", 1) for g in given)
    unknown = sorted(named.keys() - PEERS.keys())
    if unknown:
        raise click.UsageError(f"no peer is called {unknown[0]}; there are {', '.join(PEERS)}")
    running: dict[str, Process] = {}
    missing: dict[str, str] = {}
    for name in PEERS:
        try:
            running[name] = Process(name, named.get(name, sys.executable))
        except ImportError as error:
            missing[name] = str(error)
    return running, missing


def shown(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


@click.command()
@click.option("--rounds", default=5, show_default=True)
@click.option("--scale", default=1.0, show_default=True, help="How much work in a round.")
@click.option("--peer", "peers", multiple=True, help="NAME=PYTHON, a Python that has a library.")
def main(rounds: int, scale: float, peers: tuple[str, ...]) -> None:
    def n(number: int) -> int:
        return max(1, round(number * scale))

    own: dict[str, Callable[[int], int]] = {
        "sampling": sampling(n(20_000)),
        "neighbors, as decisions": neighbors(n(400), identified=False),
        "neighbors, with fingerprints": neighbors(n(400), identified=True),
        "networks with shapes and costs": networks(n(400)),
        "once-for-all, uniform": limited(n(300), tight=False),
        "once-for-all, at most 4.5 M parameters": limited(n(300), tight=True),
    }

    def timed(run: Callable[[int], int]) -> Callable[[int], float]:
        def rate(turn: int) -> float:
            start = perf_counter()
            return run(turn) / (perf_counter() - start)

        return rate

    rows = {name: timed(run) for name, run in own.items()}
    running, missing = started(peers)
    for name, process in running.items():
        for row in process.rows:
            amount = n(PEERS[name].amounts[row])
            rows[f"{row}, {name} {process.version}"] = process.rate(row, amount)
    rows = dict(sorted(rows.items(), key=lambda r: r[0].split(",")[0]))
    for rate in rows.values():
        rate(-1)
    rates: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(rounds):
        for name, rate in rows.items():
            rates[name].append(rate(turn))
    for process in running.values():
        process.close()
    facts = {
        "benchmark": "spaces",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "load": os.getloadavg()[0],
        "rounds": rounds,
    }
    print(json.dumps({**facts, "per_second": rates}))
    for name, found in rates.items():
        low, middle, high = map(shown, (min(found), statistics.median(found), max(found)))
        print(f"| {name} | {middle} | {low}-{high} |")
    for name, why in missing.items():
        print(f"without {name} ({why}); to install: {PEERS[name].install}")


if __name__ == "__main__":
    main()
