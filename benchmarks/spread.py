"""The noise of NAS-Bench-201: published accuracies of cells that are one network.

    python -m benchmarks.spread nasbench201_accuracy.csv.gz

The benchmark trained every cell; cells of one fingerprint compute the same functions, so that
what their accuracies differ by is the noise of training.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import statistics
from collections import defaultdict
from pathlib import Path

import click

import nasdsl

TEXT = 'use "nasbench201.nas"\nnetwork = conv(C, 3) >> Cell(C) >> global_avgpool >> linear(10)\n'


def spread(groups: list[list[float]]) -> dict[str, float]:
    """Over groups of several: the pooled standard deviation, and the ranges."""
    several = [g for g in groups if len(g) > 1]
    squares = sum((len(g) - 1) * statistics.variance(g) for g in several)
    ranges = sorted(max(g) - min(g) for g in several)
    return {
        "groups": len(several),
        "members": sum(map(len, several)),
        "pooled_deviation": math.sqrt(squares / sum(len(g) - 1 for g in several)),
        "median_range": statistics.median(ranges),
        "range_95": ranges[round(0.95 * (len(ranges) - 1))],
        "greatest_range": ranges[-1],
    }


@click.command()
@click.argument("table", type=click.Path(exists=True, path_type=Path))
def main(table: Path) -> None:
    space = nasdsl.load(TEXT)
    with gzip.open(table, "rt", newline="") as file:
        rows = {row["arch_str"]: row for row in csv.DictReader(file)}
    groups: dict[str, list[str]] = defaultdict(list)
    for architecture in space:
        groups[architecture.fingerprint].append(str(architecture.key))
    print(json.dumps({"architectures": space.size, "fingerprints": len(groups)}))
    for column in ("test200_cifar10", "test200_cifar100", "test200_imagenet16", "val12_cifar10"):
        values = [[float(rows[key][column]) for key in keys] for keys in groups.values()]
        print(json.dumps({"column": column, **spread(values)}))


if __name__ == "__main__":
    main()
