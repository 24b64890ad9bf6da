"""Estimated neighborhood means against every neighbor trained from scratch.

    python -m benchmarks.neighborhood [--centers 32] [--retest] [--save FILE]

Random cells of NAS-Bench-201 on noisy digits. Prints, for each estimator and price, Kendall's tau
of the estimated mean over the ball and of the drop (the center's accuracy less the mean) with
those from scratch; the baseline (the center's accuracy alone); and, with ``--retest``, the tau
between two independent measurements from scratch. ``--save`` keeps the measurements from
scratch, which take nearly all of the time, and goes on with them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from scipy.stats import kendalltau

import nasdsl
from benchmarks.population import cells
from nasdsl.compiler import compile_network
from nasdsl.graph.network import Network
from nasdsl.objectives.neighborhood_estimates import OWN, estimates
from nasdsl.seeding import derive
from nasdsl.space import Space
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.data.load import load
from nasdsl.training.loop import predict, train
from nasdsl.training.settings import DataSettings, Sgd, TrainSettings

DATA = DataSettings(train=300, validation=1000, test=0.2, noise=0.4)
TRAIN = TrainSettings(steps=120, batch=64, optimizer=Sgd(lr=0.1))
ESTIMATORS: dict[str, dict[str, Any]] = {
    "shared, 2x": {"method": "shared", "price": 2.0},
    "shared, 1x": {"method": "shared", "price": 1.0},
    "shared from the center, 2x": {"method": "shared", "price": 2.0, "carried": True},
    "inherit, 2x": {"method": "inherit", "price": 2.0},
}


def trained(network: Network, key: str, seed: int, data: Dataset) -> torch.nn.Module:
    own = derive(seed, "trial", key)
    module = compile_network(network, own)
    train(module, data, TRAIN, derive(own, "train"))
    return module


def accuracy(module: torch.nn.Module, data: Dataset) -> float:
    return task.accuracy(predict(module, data, data.validation.x), data.validation.y)


def scratch(
    space: Space, centers: int, seed: int, data: Dataset, save: Path | None
) -> dict[str, float]:
    """Accuracies from scratch by ``fingerprint:seed``, those of the file taken over."""
    known: dict[str, Any] = json.loads(save.read_text()) if save and save.is_file() else {}
    for center in space.samples(centers, 7):
        for each in (center, *space.neighbors(center)):
            key = f"{each.fingerprint}:{seed}"
            if key not in known:
                known[key] = accuracy(trained(each.network, each.fingerprint, seed, data), data)
        if save:
            save.write_text(json.dumps(known))
    return {k: v[0] if isinstance(v, list) else v for k, v in known.items()}


def tau(a: list[float], b: list[float]) -> float:
    return round(float(kendalltau(a, b).statistic), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--centers", type=int, default=32)
    parser.add_argument("--retest", action="store_true")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    space = nasdsl.load(cells(8, 8))
    data = load(DATA)
    known = scratch(space, options.centers, 0, data, options.save)
    balls = [(c, [*space.neighbors(c)]) for c in space.samples(options.centers, 7)]
    own = [known[f"{c.fingerprint}:0"] for c, _ in balls]

    def means(seed: int, values: dict[str, float]) -> list[float]:
        return [
            statistics.fmean(values[f"{a.fingerprint}:{seed}"] for a in (c, *near))
            for c, near in balls
        ]

    truth = means(0, known)
    drop = [o - m for o, m in zip(own, truth, strict=True)]
    rows: list[dict[str, Any]] = [{"estimator": "the center alone", "mean": tau(own, truth)}]
    modules = [trained(c.network, c.fingerprint, 0, data) for c, _ in balls]
    for name, how in ESTIMATORS.items():
        began = time.thread_time()
        found = []
        for (center, near), module, mine in zip(balls, modules, own, strict=True):
            values = estimates(
                center.network,
                [n.network for n in near],
                module,
                data,
                TRAIN,
                derive(0, "estimate", center.fingerprint),
                **how,
            )
            shrunk = [mine if v is None else OWN * mine + (1 - OWN) * v for v in values]
            found.append(statistics.fmean([mine, *shrunk]))
        away = [o - m for o, m in zip(own, found, strict=True)]
        seconds = (time.thread_time() - began) / len(balls)
        row = {"estimator": name, "mean": tau(found, truth), "drop": tau(away, drop)}
        rows.append({**row, "seconds": round(seconds, 2)})
    if options.retest:
        again = scratch(space, options.centers, 1, data, options.save)
        other = means(1, again)
        others = [o - m for o, m in zip(own, other, strict=True)]
        rows.append({"estimator": "retest", "mean": tau(other, truth), "drop": tau(others, drop)})
    print(json.dumps({"benchmark": "neighborhood", "centers": len(balls), "rows": rows}))
    print("| estimator | tau of the mean | tau of the drop |")
    print("| --- | --- | --- |")
    for row in rows:
        print(f"| {row['estimator']} | {row['mean']} | {row.get('drop', '-')} |")


if __name__ == "__main__":
    main()
