"""Kendall's tau of each zero-cost proxy with its published value on NAS-Bench-201.

    python benchmarks/proxy_agreement.py ../shared/data --architectures 200

    python benchmarks/proxy_agreement.py ../shared/data --only nwot l2_norm --draws 4

The folder holds nasbench201_accuracy.csv.gz, nasbench201_zerocost.csv.gz (NAS-Bench-Suite-Zero's
values, CIFAR-10) and cifar10_subset_10k_2k.npz. Architectures are drawn uniformly from those that
have published values. The published values are of one draw of weights and images each, which is
not known, so those that depend on the draw cannot reach 1.

``--draws N`` measures N times, each with a batch and initial weights of its own, as the proxies'
option ``draws`` does. ``mean`` is then the tau of the mean over the draws; ``own`` that of each of
our draws with the mean of the others, on average: about what a published value, one draw of
somebody else's, can reach if it is the same quantity. ``apart`` is the tau over pairs of
architectures whose means are further apart than three standard deviations of the difference
between two single draws, and ``share`` how many of the pairs that are.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import statistics
import sys
import time
from pathlib import Path

from scipy.stats import kendalltau, spearmanr

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.objectives.proxies.metric import batch as samples
from nasdsl.objectives.proxies.metric import redrawn
from nasdsl.objectives.proxies.table import PROXIES
from nasdsl.objectives.proxies.together import MEASURED, compute
from nasdsl.seeding import derive
from nasdsl.training.data import load
from nasdsl.training.settings import DataSettings

NAMES = tuple(name for name in PROXIES if name not in ("jacob_fro", "hessian"))
FAILED = -1e8
TARGETS = {
    "declared_params": 1.0, "flops": 0.96, "synflow": 0.98, "nwot": 0.95, "l2_norm": 0.95,
    "snip": 0.8, "grad_norm": 0.8, "jacov": 0.8,
}  # fmt: skip


def published(folder: Path) -> dict[str, dict[str, float]]:
    """The published values by architecture, for those that have them."""
    with gzip.open(folder / "nasbench201_accuracy.csv.gz", "rt") as file:
        names = {row["arch_index"]: row["arch_str"] for row in csv.DictReader(file)}
    with gzip.open(folder / "nasbench201_zerocost.csv.gz", "rt") as file:
        return {
            names[row["arch_index"]]: {n: float(row[f"{n}_cifar10"]) for n in NAMES}
            for row in csv.DictReader(file)
            if row["params_cifar10"]
        }


def measure(space: nasdsl.Space, key: str, data, batch: int, names: list[str], seed: int,
            draws: int) -> tuple[list[dict], float]:  # fmt: skip
    """Our values of one architecture, draw by draw, and the seconds they took."""
    architecture = space.find(key)
    network = architecture.network
    began = time.perf_counter()
    module = compile_network(network, derive(seed, "proxy agreement", key))
    found = []
    for draw in range(draws):
        drawn = redrawn(module, seed, draw) if draws > 1 else module
        x, y = samples(data, batch, seed, draw)
        found.append({n: o.value for n, o in compute(drawn, x, y, names, seed).items()})
        found[-1]["params"] = network.params / 1e6
        found[-1]["flops"] = network.macs / 1e6
        found[-1]["declared_params"] = architecture.declared_params / 1e6
    return found, time.perf_counter() - began


def agreement(ours: list, theirs: list) -> tuple[float, float, int]:
    """Kendall's tau-b and Spearman's rho over the pairs in which both are there; how many."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if None not in (a, b)]
    pairs = [(a, b) for a, b in pairs if FAILED not in (a, b)]
    first, second = zip(*pairs, strict=True)
    tau, rho = kendalltau(first, second).statistic, spearmanr(first, second).statistic
    return float(tau), float(rho), len(pairs)


def mean(values: list) -> float | None:
    """The mean, where all are there."""
    return None if None in values else sum(values) / len(values)


def against_the_noise(draws: list[list[float]], theirs: list[float]) -> tuple[float, float, float]:
    """``own``, ``apart`` and ``share`` of several draws, each a list over architectures."""
    count = len(draws)
    own = []
    for i, one in enumerate(draws):
        others = [sum(v) / (count - 1) for v in zip(*draws[:i], *draws[i + 1 :], strict=True)]
        own.append(agreement(one, others)[0])
    means = [sum(v) / count for v in zip(*draws, strict=True)]
    variance = statistics.mean(statistics.variance(v) for v in zip(*draws, strict=True))
    least = 3 * (2 * variance) ** 0.5
    signs = [
        (means[i] - means[j]) * (theirs[i] - theirs[j]) > 0
        for i in range(len(means))
        for j in range(i)
        if abs(means[i] - means[j]) > least
    ]
    pairs = len(means) * (len(means) - 1) / 2
    apart = 2 * sum(signs) / len(signs) - 1 if signs else float("nan")
    return statistics.mean(own), apart, len(signs) / pairs


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the published tables and the images")
    parser.add_argument("--architectures", type=int, default=200)
    parser.add_argument("--space", default="spaces/nasbench201.nas")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=NAMES, help="proxies to measure")
    parser.add_argument("--draws", type=int, default=1, help="batches, each with fresh weights")
    parser.add_argument("--json", type=Path, help="where to write all values")
    given = parser.parse_args()
    space = nasdsl.load(given.space)
    values = published(given.folder)
    names = [n for n in MEASURED if n in given.only]
    keys = random.Random(given.seed).sample(sorted(values), given.architectures)
    settings = DataSettings("npz", str((given.folder / "cifar10_subset_10k_2k.npz").resolve()),
                            None, 0.2, 0.2, 0.0)  # fmt: skip
    data = load(settings)
    ours: dict[str, list[dict]] = {}
    seconds = 0.0
    for number, key in enumerate(keys, 1):
        ours[key], spent = measure(space, key, data, given.batch, names, given.seed, given.draws)
        seconds += spent
        if number % 10 == 0:
            print(f"{number} of {len(keys)}, {seconds / number:.2f} s each", file=sys.stderr)
            if given.json:
                given.json.write_text(json.dumps({k: {"ours": v, "published": values[k]}
                                                  for k, v in ours.items()}))  # fmt: skip
    print(f"{len(keys)} architectures, batch {given.batch}, {seconds / len(keys):.2f} s each")
    head = f"{'proxy':<16}{'tau':>8}{'rho':>8}{'pairs':>7}{'asked':>8}"
    print(head + ("    mean     own   apart   share" if given.draws > 1 else ""))
    for name in ("declared_params", *(n for n in NAMES if n in given.only)):
        theirs = [values[k]["params" if name == "declared_params" else name] for k in keys]
        drawn = [[ours[k][d][name] for k in keys] for d in range(given.draws)]
        tau, rho, pairs = agreement(drawn[0], theirs)
        asked = f"{TARGETS[name]:.2f}" if name in TARGETS else "-"
        line = f"{name:<16}{tau:>8.3f}{rho:>8.3f}{pairs:>7}{asked:>8}"
        if given.draws > 1:
            means = [mean([ours[k][d][name] for d in range(given.draws)]) for k in keys]
            line += f"{agreement(means, theirs)[0]:>8.3f}"
            if None not in means:
                line += "".join(f"{v:>8.3f}" for v in against_the_noise(drawn, theirs))
        print(line)


if __name__ == "__main__":
    main()
