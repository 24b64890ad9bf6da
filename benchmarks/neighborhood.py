"""Estimated neighborhoods against every neighbor trained from scratch.

    python -m benchmarks.neighborhood [--centers 32] [--retest N] [--save FILE] [--plot FILE]
    python -m benchmarks.neighborhood --images cifar10_subset_10k_2k.npz --centers 30
    python -m benchmarks.neighborhood --table nasbench201_accuracy.csv.gz --centers 64

Random cells of NAS-Bench-201 on noisy digits, on the images of an npz file at a quarter of their
side, or looked up in a table of published accuracies. Prints, for each estimator and price,
Kendall's tau of the estimated mean over the ball and of the drop (the center's accuracy less the
mean) with those from scratch; the baseline, the center's accuracy alone; and, with ``--retest N``,
the tau between two independent measurements from scratch of the first N centers. Where there are
two, neighbors that are trained for an estimate are those of the second, so that no estimate
contains what it is held to.
``--save`` keeps what was measured, and goes on with it; nearly all of the time is training from
scratch. ``--plot`` draws tau against the price.

A price is in trainings of the center; 25 is that of every neighbor from scratch.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import nasdsl
from benchmarks.neighborhood_estimators import constants, filled, sampled, shared
from benchmarks.neighborhood_plot import drawing
from benchmarks.neighborhood_scratch import (
    DIGITS,
    IMAGES,
    Ball,
    Kept,
    Reference,
    Scratch,
    around,
    digits,
    images,
    means,
)
from nasdsl.objectives.neighborhood_estimates import Estimator

SPACE = Path(__file__).parents[1] / "spaces" / "nasbench201.nas"
TRAINED = (0, 1, 2, 4, 8)
"""Neighbors trained for each center, by which a model of the run fills in the others."""
SHARED: tuple[Estimator, ...] = ("shared", "inherit")
PRICES = (1.0, 2.0, 4.0)
"""Of the estimates of shared weights, beyond the center's own training."""
CHANCE = 10.0
"""Percent of ten classes that a guess gets right."""
LINES = {
    "surrogate": "surrogate",
    "shared": "shared",
    "inherit": "inherit",
    "neighbors drawn": "neighbors drawn",
}
LEVELS = {"from scratch again": "all from scratch again", "the center alone": "center alone"}


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
    rows = [
        reference.row("the center alone", 1, reference.own),
        reference.row("the center, constants known", 1, constants(balls, first, CHANCE)),
    ]
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
            for method in SHARED:
                found = shared(scratch, balls, first, method, price)
                rows.append(reference.row(method, 1 + price, found))
    if second:
        again = [b for b in balls if all(each.fingerprint in second for each in (b[0], *b[1]))]
        found = means(again, second)
        row = Reference(again, first).row(f"from scratch again, {len(again)} centers", 25, found)
        rows.append(row)
    return rows


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
    parser.add_argument("--plot", type=Path)
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
        setting = DIGITS if options.images is None else IMAGES
        data = digits() if options.images is None else images(options.images)
        balls = around(nasdsl.load(setting.space), options.centers)
        scratch = Scratch(setting, data, Kept(setting.name, options.save))
        first = scratch.accuracies(balls, 0)
        if options.retest:
            second = scratch.accuracies(balls[: options.retest], 1)
    rows = compared(balls, first, second, scratch, options.prices)
    print(json.dumps({"benchmark": "neighborhood", "centers": len(balls), "rows": rows}))
    show(rows)
    if options.plot is not None:
        options.plot.write_text(drawing(rows, LINES, LEVELS), encoding="utf-8")


if __name__ == "__main__":
    main()
