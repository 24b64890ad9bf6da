"""Kendall's tau of each zero-cost proxy with its published value on NAS-Bench-201.

    python benchmarks/proxy_agreement.py ../shared/data --architectures 200

The folder holds nasbench201_accuracy.csv.gz, nasbench201_zerocost.csv.gz (NAS-Bench-Suite-Zero's
values, CIFAR-10) and cifar10_subset_10k_2k.npz. Architectures are drawn uniformly from those that
have published values; every one sees the same batch, under its own initial weights. The
published values come from other draws of weights and images, so those that depend on the draw
cannot reach 1. ``--noise`` measures with a second seed too (twice the time): ``noise`` is the tau
of the two draws of our own with each other, about what two sources can agree on, and ``mean``
that of their mean with the published values. l2_norm is a count of the convolutions up to the
draw of the weights: the published values of two data sets, same networks, agree to 0.78.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import sys
import time
from pathlib import Path

import torch
from scipy.stats import kendalltau, spearmanr

import nasdsl
from nasdsl.compiler import compile_network
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


def measure(space: nasdsl.Space, key: str, x, y, names: list[str], seed: int):
    """Our values of one architecture, and the seconds they took."""
    architecture = space.find(key)
    network = architecture.network
    began = time.perf_counter()
    module = compile_network(network, derive(seed, "proxy agreement", key))
    found = {n: o.value for n, o in compute(module, x, y, names, seed).items()}
    found["params"] = network.params / 1e6
    found["flops"] = network.macs / 1e6
    found["declared_params"] = architecture.declared_params / 1e6
    return found, time.perf_counter() - began


def agreement(ours: list, theirs: list) -> tuple[float, float, int]:
    """Kendall's tau-b and Spearman's rho over the pairs in which both are there; how many."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if None not in (a, b)]
    pairs = [(a, b) for a, b in pairs if FAILED not in (a, b)]
    first, second = zip(*pairs, strict=True)
    tau, rho = kendalltau(first, second).statistic, spearmanr(first, second).statistic
    return float(tau), float(rho), len(pairs)


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the published tables and the images")
    parser.add_argument("--architectures", type=int, default=200)
    parser.add_argument("--space", default="spaces/nasbench201.nas")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", nargs="*", default=[], help="proxies to leave out")
    parser.add_argument("--noise", action="store_true", help="measure with another seed too")
    parser.add_argument("--json", type=Path, help="where to write all values")
    given = parser.parse_args()
    space = nasdsl.load(given.space)
    values = published(given.folder)
    names = [n for n in MEASURED if n in NAMES and n not in given.without]
    keys = random.Random(given.seed).sample(sorted(values), given.architectures)
    settings = DataSettings("npz", str((given.folder / "cifar10_subset_10k_2k.npz").resolve()),
                            None, 0.2, 0.2, 0.0)  # fmt: skip
    data = load(settings)
    generator = torch.Generator().manual_seed(derive(given.seed, "proxy batch"))
    chosen = torch.randperm(len(data.train), generator=generator)[: given.batch]
    x, y = data.inputs(data.train.x[chosen]), data.train.y[chosen]
    ours: dict[str, dict] = {}
    again: dict[str, dict] = {}
    seconds = 0.0
    for number, key in enumerate(keys, 1):
        ours[key], spent = measure(space, key, x, y, names, given.seed)
        seconds += spent
        if given.noise:
            again[key], _ = measure(space, key, x, y, names, given.seed + 1)
        if number % 10 == 0:
            print(f"{number} of {len(keys)}, {seconds / number:.2f} s each", file=sys.stderr)
        if given.json and number % 10 == 0:
            given.json.write_text(json.dumps({k: {"ours": v, "published": values[k]}
                                              for k, v in ours.items()}))  # fmt: skip
    print(f"{len(keys)} architectures, batch {given.batch}, {seconds / len(keys):.2f} s each")
    print(
        f"{'proxy':<16}{'tau':>8}{'rho':>8}{'pairs':>7}{'asked':>8}"
        + "   noise    mean" * given.noise
    )
    for name in ("declared_params", *(n for n in NAMES if n not in given.without)):
        column = "params" if name == "declared_params" else name
        mine = [ours[k].get(name) for k in keys]
        tau, rho, pairs = agreement(mine, [values[k][column] for k in keys])
        asked = f"{TARGETS[name]:.2f}" if name in TARGETS else "-"
        line = f"{name:<16}{tau:>8.3f}{rho:>8.3f}{pairs:>7}{asked:>8}"
        if again:
            other = [again[k].get(name) for k in keys]
            both = [None if None in p else sum(p) / 2 for p in zip(mine, other, strict=True)]
            line += f"{agreement(mine, other)[0]:>8.3f}"
            line += f"{agreement(both, [values[k][column] for k in keys])[0]:>8.3f}"
        print(line)


if __name__ == "__main__":
    main()
