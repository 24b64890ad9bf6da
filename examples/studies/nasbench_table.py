"""NAS-Bench-201's cells and what was published of them, in the order of a space's ranks."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import nasdsl
from nasdsl.search.features import Features
from nasdsl.search.variation import Variation
from nasdsl.space import Architecture, Space

Array = NDArray[np.float64]

SPACE = Path(__file__).with_name("neighborhood_search.nas")
ACCURACY = "nasbench201_accuracy.csv.gz"
ROBUSTNESS = "nasbench201_robustness_jung2023.csv.gz"
DATASETS = ("cifar10", "cifar100", "imagenet16")
CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "snow", "frost", "fog", "brightness", "contrast", "elastic_transform",
    "pixelate", "jpeg_compression",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Published values by rank of the space, each of shape (15625,), accuracies in percent.

    Attributes:
        network: the class of isomorphic cells.
        search: validation accuracy after 12 epochs, by data set.
        judged: what a pick is judged by, by data set and name.
    """

    network: NDArray[np.int64]
    search: Mapping[str, Array]
    judged: Mapping[str, Mapping[str, Array]]


def read_table(space: Space, folder: Path) -> Table:
    """Both files, put in the order of the space's ranks."""

    def rows(name: str) -> list[dict[str, str]]:
        with gzip.open(folder / name, "rt", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    by_key = {row["arch_str"]: row for row in rows(ACCURACY)}
    cells = [by_key[str(architecture.key)] for architecture in space]
    robust = rows(ROBUSTNESS)
    index = next(name for name in ("arch_index", "iso_index") if name in robust[0])
    by_class = {row[index]: row for row in robust}

    def percent(name: str, row: Mapping[str, str]) -> float:
        return 100 * float(row[name])

    def of_classes(values: Callable[[Mapping[str, str]], float]) -> Array:
        worked_out = {name: values(row) for name, row in by_class.items()}
        return np.array([worked_out[cell["iso_index"]] for cell in cells])

    def mean_corrupted(dataset: str) -> Array:
        names = [f"{dataset}_{c}_s{s}" for c in CORRUPTIONS for s in range(1, 6)]
        return of_classes(lambda row: float(np.mean([percent(n, row) for n in names])))

    judged: dict[str, dict[str, Array]] = {}
    for dataset in DATASETS:
        test = np.array([float(cell[f"test200_{dataset}"]) for cell in cells])
        pgd = f"{dataset}_pgd_eps1"
        judged[dataset] = {
            "test200": test,
            "pgd": of_classes(partial(percent, pgd)),
        }
        if f"{dataset}_fog_s1" in robust[0]:
            judged[dataset]["corruptions"] = mean_corrupted(dataset)
    return Table(
        np.array([int(cell["iso_index"]) for cell in cells]),
        {d: np.array([float(cell[f"val12_{d}"]) for cell in cells]) for d in DATASETS},
        judged,
    )


@dataclass(frozen=True)
class World:
    """What all searches share: nothing of it depends on a search."""

    space: Space
    table: Table
    variation: Variation
    features: Features

    def one(self, architecture: Architecture) -> Hashable:
        """What two architectures have in common that are one network."""
        return int(self.table.network[architecture.rank])


@lru_cache
def world(folder: Path) -> World:
    """The space, its table, and the features of all its architectures."""
    space = nasdsl.load(SPACE)
    found = World(space, read_table(space, folder), Variation(space), Features())
    found.features.rows(list(space))
    return found
