"""NA-DARTS against DARTS by real one-shot training, at equal cost.

    python examples/studies/na_darts.py --json na_darts.json

Each searcher trains the mixed supernet of na_darts.nas, a reduced NAS-Bench-201, on the CIFAR-10
subset, one half of the training images for the weights and the other for the decisions. The cell
of the largest weights is then looked up among the published values of the full benchmark:
test accuracy after 200 epochs (Dong and Yang, 2020). DARTS takes 2 forward and backward passes a
step; NA-DARTS with n neighbors 2 + n, and so many epochs fewer that both take the same number.
Both sides of a seed share the split, the order of the images and the initial weights.

The folder of the data, ``--data``, else the environment variable NASDSL_DATA, else
``../shared/data`` beside the project, holds cifar10_subset_10k_2k.npz and
nasbench201_accuracy.csv.gz. Figures are written after every training, so that a run that is cut
short keeps what it has; a file that holds trainings of the same settings is gone on with.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from study_frame import check, earlier, options, write_json

import nasdsl
from nasdsl.space import Space
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.data.load import load
from nasdsl.training.oneshot.darts import train_darts
from nasdsl.training.oneshot.settings import DartsSettings
from nasdsl.training.settings import DataSettings, TrainSettings

SPACE = Path(__file__).with_suffix(".nas")
IMAGES = "cifar10_subset_10k_2k.npz"
TABLE = "nasbench201_accuracy.csv.gz"
COLUMN = "test200_cifar10"


@dataclass(frozen=True)
class Scale:
    """How large the trainings are.

    Attributes:
        images: for both sides together.
        epochs: of DARTS.
        batch: images of a step of either side.
        neighbors: of NA-DARTS.
        decision_lr: of both; larger than in DARTS, since there are fewer steps.
    """

    images: int = 8000
    epochs: int = 14
    batch: int = 64
    neighbors: int = 2
    decision_lr: float = 1e-2

    def methods(self) -> dict[str, DartsSettings]:
        """Both searchers, at equal numbers of passes."""
        plain = DartsSettings(epochs=self.epochs, batch=self.batch, decision_lr=self.decision_lr)
        shorter, rest = divmod(2 * self.epochs, 2 + self.neighbors)
        if rest:
            raise SystemExit("2 * epochs must be a multiple of 2 + neighbors: equal cost")
        aware = replace(plain, epochs=shorter, neighbors=self.neighbors)
        return {"darts": plain, "na_darts": aware}


QUICK = Scale(images=32, epochs=2, batch=16)


def published(folder: Path) -> dict[str, float]:
    """Test accuracy after 200 epochs in percent, by the string of the cell."""
    with gzip.open(folder / TABLE, "rt", encoding="utf-8", newline="") as file:
        return {row["arch_str"]: float(row[COLUMN]) for row in csv.DictReader(file)}


def judged(space: Space, rank: int, table: Mapping[str, float]) -> dict[str, Any]:
    """What a cell is worth in the full benchmark: its own accuracy, and its neighbors' mean."""
    cell = space[rank]
    near = [n.architecture for n in space.neighbors(cell)]
    around = [table[str(a.key)] for a in near if a is not None]
    return {
        "cell": str(cell.key),
        "test200": table[str(cell.key)],
        "neighbors_test200": sum(around) / len(around),
    }


def searched(
    space: Space, data: Dataset, settings: DartsSettings, seed: int, table: Mapping[str, float]
) -> dict[str, Any]:
    """One training, its path, and what it found."""
    result = train_darts(space, data, settings, TrainSettings(crop=4, flip=True), seed)
    path = [asdict(e) | judged(space, int(e.rank), table) for e in result.epochs]
    last = path[-1]
    return {
        "cell": last["cell"],
        "test200": last["test200"],
        "neighbors_test200": last["neighbors_test200"],
        "skips": last["skips"],
        "skip_mass": last["skip_mass"],
        "passes": result.passes,
        "seconds": result.seconds,
        "weights": {name: list(w) for name, w in result.weights.items()},
        "path": path,
    }


def study(folder: Path, seeds: Sequence[int], scale: Scale, out: Path | None) -> dict[str, Any]:
    """All trainings, seed by seed, and the table's own figures to hold them against."""
    space = nasdsl.load(SPACE)
    table = published(folder)
    cells = list(table.values())
    mean = sum(cells) / len(cells)
    found: dict[str, Any] = {
        "scale": asdict(scale),
        "methods": {name: asdict(s) for name, s in scale.methods().items()},
        "torch": torch.__version__,
        "benchmark": {"cells": len(cells), "mean": mean, "best": max(cells)},
        "runs": {},
    }
    same = {key: found[key] for key in ("scale", "methods")}
    found["runs"] |= earlier(out, same).get("runs", {})
    data = load(
        DataSettings(
            source="npz", path=str(folder / IMAGES), train=scale.images, validation=1000, noise=0.0
        )
    )
    for seed in seeds:
        for name, settings in scale.methods().items():
            runs = found["runs"].setdefault(name, {})
            if str(seed) in runs:
                continue
            runs[str(seed)] = run = searched(space, data, settings, seed, table)
            print(
                f"seed {seed} {name:8s} test200 {run['test200']:.2f}  skips {run['skips']} of 6  "
                f"passes {run['passes']}  {run['seconds']:.0f} s  {run['cell']}",
                flush=True,
            )
            write_json(out, found)
    return found


def main() -> None:
    """Runs the study, and writes the figures."""
    parser = options(__doc__, 3, "pairs of trainings", "a few steps, to see that it runs")
    given = parser.parse_args()
    check(parser, given, (IMAGES, TABLE))
    torch.set_num_threads(1)
    began = time.monotonic()
    study(given.data, range(given.seeds), QUICK if given.quick else Scale(), given.json)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
