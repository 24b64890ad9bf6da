"""Estimated neighborhoods against every neighbor trained from scratch.

    python -m benchmarks.neighborhood [--centers 32] [--retest N] [--save FILE]
    python -m benchmarks.neighborhood --images cifar10_subset_10k_2k.npz --centers 12
    python -m benchmarks.neighborhood --table nasbench201_accuracy.csv.gz --centers 64

Random cells of NAS-Bench-201 on noisy digits, on the images of an npz file at half their size,
or looked up in a table of published accuracies. Prints, for each estimator and price, Kendall's
tau of the estimated mean over the ball and of the drop (the center's accuracy less the mean)
with those from scratch; the baseline, the center's accuracy alone; and, with ``--retest N``, the
tau between two independent measurements from scratch of the first N centers. Where there are
two, neighbors that are trained for an estimate are those of the second, so that no estimate
contains what it is held to.
``--save`` keeps what was measured from scratch, which takes nearly all of the time, and goes on
with it.

A price is in trainings of the center; 25 is that of every neighbor from scratch.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

import nasdsl
from benchmarks.population import cells
from nasdsl.compiler import compile_network
from nasdsl.graph.network import Network
from nasdsl.objectives.neighborhood_estimates import estimates, shrunk
from nasdsl.seeding import derive, generator
from nasdsl.space import Architecture, Space
from nasdsl.study.predicted import Archive
from nasdsl.study.records import Subject
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.data.dataset import statistics as image_statistics
from nasdsl.training.data.load import load
from nasdsl.training.loop import predict, train
from nasdsl.training.settings import DataSettings, Sgd, TrainSettings

SPACE = Path(__file__).parents[1] / "spaces" / "nasbench201.nas"
DIGITS = DataSettings(train=300, validation=1000, test=0.2, noise=0.4)
TRAIN = TrainSettings(steps=120, batch=64, optimizer=Sgd(lr=0.1))
TRAINED = (0, 1, 2, 4, 8)
"""Neighbors trained for each center, by which a model of the run fills in the others."""
SHARED = ("shared", "inherit")
PRICES = (1.0, 2.0, 4.0)
"""Of the estimates of shared weights, beyond the center's own training."""

Ball = tuple[Architecture, Sequence[Architecture]]


class Scratch:
    """Accuracies of networks trained from scratch, kept in a file."""

    def __init__(self, data: Dataset, save: Path | None, device: str = "cpu"):
        self.data = data
        self.device = device
        self._save = save
        self._modules: dict[str, torch.nn.Module] = {}
        self._known: dict[str, float] = (
            json.loads(save.read_text()) if save is not None and save.is_file() else {}
        )

    def module(self, architecture: Architecture, seed: int) -> torch.nn.Module:
        """The network, trained; equal ones of equal seed are equal."""
        own = derive(seed, "trial", architecture.fingerprint)
        module = compile_network(architecture.network, own)
        train(module, self.data, TRAIN, derive(own, "train"), self.device)
        return module

    def center(self, architecture: Architecture) -> torch.nn.Module:
        """A center of the first measurement, trained once."""
        if architecture.fingerprint not in self._modules:
            self._modules[architecture.fingerprint] = self.module(architecture, 0)
        return self._modules[architecture.fingerprint]

    def accuracies(self, balls: Sequence[Ball], seed: int) -> dict[str, float]:
        """By fingerprint, in percent of the validation samples; saved after every ball."""
        found = {}
        for center, near in balls:
            for each in (center, *near):
                key = f"{each.fingerprint}:{seed}"
                if key not in self._known:
                    self._known[key] = accuracy(self.module(each, seed), self.data)
                found[each.fingerprint] = self._known[key]
            if self._save is not None:
                partial = self._save.with_suffix(".partial")
                partial.write_text(json.dumps(self._known))
                os.replace(partial, self._save)
        return found


def accuracy(module: torch.nn.Module, data: Dataset) -> float:
    return task.accuracy(predict(module, data, data.validation.x), data.validation.y)


def tau(a: Sequence[float], b: Sequence[float]) -> float:
    from scipy.stats import kendalltau  # not there where only the compiler's needs are

    return round(float(kendalltau(a, b).statistic), 3)


class Reference:
    """What estimates are held to: accuracies from scratch over balls."""

    def __init__(self, balls: Sequence[Ball], values: Mapping[str, float]):
        self.balls = balls
        self.own = [values[center.fingerprint] for center, _ in balls]
        self.means = means(balls, values)
        self.drops = [o - m for o, m in zip(self.own, self.means, strict=True)]

    def row(self, name: str, price: float, found: Sequence[float]) -> dict[str, Any]:
        """How well estimated means rank means and drops, of all and of the later half."""
        drops = [o - m for o, m in zip(self.own, found, strict=True)]
        half = len(found) // 2
        errors = [(a - b) ** 2 for a, b in zip(found, self.means, strict=True)]
        return {
            "estimator": name,
            "price": price,
            "mean": tau(found, self.means),
            "drop": tau(drops, self.drops) if any(drops) else None,
            "later_mean": tau(found[half:], self.means[half:]),
            "later_drop": tau(drops[half:], self.drops[half:]) if any(drops) else None,
            "error": round(statistics.fmean(errors) ** 0.5, 2),
        }


def means(balls: Sequence[Ball], values: Mapping[str, float]) -> list[float]:
    return [
        statistics.fmean(values[each.fingerprint] for each in (center, *near))
        for center, near in balls
    ]


def filled(
    balls: Sequence[Ball],
    own: Mapping[str, float],
    others: Mapping[str, float],
    trained: int,
    later: bool,
) -> list[float]:
    """Means over balls of which a model fills in what is not trained.

    Args:
        balls: in the order of a run.
        own: accuracies of centers, by fingerprint.
        others: those of trained neighbors.
        trained: how many neighbors of each center are.
        later: the model learns from all centers; else from those up to the one in question.
    """
    networks: dict[str, Network] = {}
    known: list[tuple[Subject, float | None]] = []
    ends = []
    for center, near in balls:
        networks |= {each.fingerprint: each.network for each in (center, *near)}
        draw = generator("trained", center.fingerprint)
        chosen = draw.sample([n for n in near if n.fingerprint != center.fingerprint], trained)
        known.append((Subject(center.fingerprint), own[center.fingerprint]))
        known += [(Subject(n.fingerprint), others[n.fingerprint]) for n in chosen]
        ends.append(len(known))
    archive = Archive(lambda subject: networks[subject.fingerprint])
    found = []
    for (center, near), end in zip(balls, ends, strict=True):
        mine = center.fingerprint
        ball = [(each.fingerprint, each.network) for each in near]
        values = archive.fill(known if later else known[:end], ball)
        same = [own[mine] if p == mine else v for (p, _), v in zip(ball, values, strict=True)]
        found.append(statistics.fmean(v for v in (own[mine], *same) if v is not None))
    return found


def sampled(
    balls: Sequence[Ball], own: Mapping[str, float], others: Mapping[str, float], trained: int
) -> list[float]:
    """Means of the center and of some of its neighbors alone."""
    found = []
    for center, near in balls:
        draw = generator("trained", center.fingerprint)
        chosen = draw.sample([n for n in near if n.fingerprint != center.fingerprint], trained)
        mean = statistics.fmean(others[n.fingerprint] for n in chosen)
        found.append((own[center.fingerprint] + len(near) * mean) / (1 + len(near)))
    return found


def shared(
    scratch: Scratch, balls: Sequence[Ball], own: Sequence[float], **how: Any
) -> tuple[list[float], float]:
    """Means of estimates with shared weights, and seconds for each center beyond its training."""
    found = []
    seconds = 0.0
    for (center, near), mine in zip(balls, own, strict=True):
        module = scratch.center(center)
        networks = [n.network for n in near]
        began = time.thread_time()
        values = estimates(
            center.network,
            networks,
            module,
            scratch.data,
            TRAIN,
            derive(0, "estimate", center.fingerprint),
            **how,
        )
        seconds += time.thread_time() - began
        found.append(statistics.fmean([mine, *shrunk(mine, networks, values)]))
    return found, seconds / len(balls)


def halved(path: Path) -> Dataset:
    """2,000 training and 1,000 validation images of an npz file, at half their size."""
    whole = load(DataSettings("npz", str(path), train=2000, validation=1000, noise=0.0))
    train_x, validation_x = (
        F.avg_pool2d(split.x.float(), 2).round().to(split.x.dtype)
        for split in (whole.train, whole.validation)
    )
    return Dataset(
        whole.name,
        Split(train_x, whole.train.y),
        Split(validation_x, whole.validation.y),
        whole.classes,
        *image_statistics(train_x),
    )


def published(path: Path, column: str) -> dict[str, float]:
    """A column of the table by the official name of the cell."""
    with gzip.open(path, "rt") as file:
        return {row["arch_str"]: float(row[column]) for row in csv.DictReader(file)}


def compared(
    balls: Sequence[Ball],
    first: Mapping[str, float],
    second: Mapping[str, float] | None,
    scratch: Scratch | None,
    prices: Sequence[float] = PRICES,
) -> list[dict[str, Any]]:
    """One row for each estimator and price."""
    reference = Reference(balls, first)
    others = {**first, **(second or {})}
    rows = [reference.row("the center alone", 1, reference.own)]
    for trained in TRAINED[1:]:
        found = sampled(balls, first, others, trained)
        rows.append(reference.row("neighbors drawn", 1 + trained, found))
    for trained in TRAINED:
        for later in (False, True):
            name = "surrogate" + (" of the whole run" if later else "")
            found = filled(balls, first, others, trained, later)
            rows.append(reference.row(name, 1 + trained, found))
    if scratch is not None:
        for price in prices:
            for name in SHARED:
                found, seconds = shared(scratch, balls, reference.own, method=name, price=price)
                row = reference.row(name, 1 + price, found)
                rows.append({**row, "seconds": round(seconds, 2)})
    if second:
        again = [b for b in balls if all(each.fingerprint in second for each in (b[0], *b[1]))]
        found = means(again, second)
        row = Reference(again, first).row(f"from scratch again, {len(again)} centers", 25, found)
        rows.append(row)
    return rows


def around(space: Space, centers: int) -> list[Ball]:
    """Random centers with all their neighbors."""
    return [
        (center, [n.architecture for n in space.neighbors(center) if n.architecture is not None])
        for center in space.samples(centers, "fresh")
    ]


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    print("| estimator | price | tau of the mean | of the drop | later half | | error |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        cells = [
            row["estimator"],
            f"{row['price']:g}x",
            *(
                "-" if row[key] is None else f"{row[key]:.2f}"
                for key in ("mean", "drop", "later_mean", "later_drop", "error")
            ),
        ]
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--centers", type=int, default=32)
    parser.add_argument("--retest", type=int, default=0, help="of so many centers")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--column", default="val200_cifar10")
    parser.add_argument("--prices", type=float, nargs="*", default=list(PRICES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    scratch, second = None, None
    if options.table is not None:
        balls = around(nasdsl.load(SPACE, {"N": "1"}), options.centers)
        table = published(options.table, options.column)
        first = {each.fingerprint: table[str(each.key)] for c, n in balls for each in (c, *n)}
    else:
        images = options.images
        data = load(DIGITS) if images is None else halved(images)
        balls = around(
            nasdsl.load(cells(8, 8) if images is None else cells(16, 8, 3)), options.centers
        )
        scratch = Scratch(data, options.save)
        first = scratch.accuracies(balls, 0)
        if options.retest:
            second = scratch.accuracies(balls[: options.retest], 1)
    rows = compared(balls, first, second, scratch, options.prices)
    print(json.dumps({"benchmark": "neighborhood", "centers": len(balls), "rows": rows}))
    show(rows)


if __name__ == "__main__":
    main()
