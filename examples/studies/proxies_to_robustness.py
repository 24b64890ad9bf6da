"""How well do zero-cost proxies tell the robustness of a trained network?

    python examples/studies/proxies_to_robustness.py --json proxies_to_robustness.json
    python examples/studies/proxies_to_robustness_page.py proxies_to_robustness.json docs/studies

Random forests of 100 trees learn the clean and the robust accuracy of NAS-Bench-201's networks
(CIFAR-10, ordinary training) from 13 published zero-cost proxies, after Lukasik, Moeller and
Keuper (2023), "An evaluation of zero-cost proxies - from neural architecture performance
prediction to model robustness". The robust accuracies are those of Jung, Lukasik and Keuper
(2023), "Neural architecture design and robustness: a dataset". Added here: encodings of the cell
as baselines, and the 15 corruptions as targets.

The folder of the data, ``--data``, else the environment variable NASDSL_DATA, else
``../shared/data`` beside the project, holds nasbench201_accuracy.csv.gz,
nasbench201_zerocost.csv.gz and nasbench201_robustness_jung2023.csv.gz. Of each class of
isomorphic cells the first that has proxies counts. A split draws the training cells; all others
test. Everything is a function of the split's number: equal numbers, equal figures.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nasbench_table import CORRUPTIONS
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import r2_score
from sklearn.utils.parallel import Parallel, delayed
from study_frame import check, options, write_json

import nasdsl
from nasdsl.objectives.table import open_table
from nasdsl.seeding import derive
from nasdsl.space import Space
from nasdsl.training.settings import read_data

Array = NDArray[np.float64]

SPACE = Path(__file__).with_suffix(".nas")
SCORES = "nasbench201_zerocost.csv.gz"
"""The published proxies; the tables of the targets are named in the .nas file."""
PROXIES = (
    "epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params",
    "plain", "snip", "synflow", "zen",
)  # fmt: skip
PREFIX = "cifar10_"
ATTACKS = ("fgsm", "pgd", "apgd", "square")
TARGETS = ("clean", *ATTACKS, "corruptions")
SETS = ("proxies", "one_hot", "op_counts", "proxies_one_hot", "top_1", "without_top_1")
SIZES = (32, 128, 1024)
QUICK = 8
"""With ``--quick`` one in so many cells takes part, and the largest size is left out."""
TREES = 100
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = 6


@dataclass(frozen=True)
class Table:
    """One row per class of isomorphic cells.

    Attributes:
        cells: official indices, shape (n,).
        proxies: raw scores, shape (n, 13), in the order of ``PROXIES``.
        one_hot: the operation of each edge, shape (n, 30), zeros and ones.
        op_counts: how often each operation occurs, shape (n, 5).
        targets: accuracies from 0 to 1 by name, each of shape (n,): ``TARGETS`` and the 15
            corruptions, the latter as means over their five severities, ``corruptions`` as the
            mean of those; attacks at 1/255 in the maximum norm.
    """

    cells: NDArray[np.int64]
    proxies: Array
    one_hot: Array
    op_counts: Array
    targets: Mapping[str, Array]

    def every(self, step: int) -> Table:
        """Every so many-th cell alone."""
        return Table(
            cells=self.cells[::step],
            proxies=self.proxies[::step],
            one_hot=self.one_hot[::step],
            op_counts=self.op_counts[::step],
            targets={name: values[::step] for name, values in self.targets.items()},
        )

    def features(self, name: str, top: str = "") -> Array:
        """The columns of a set of ``SETS``; ``top`` names the proxy that the last two turn on."""
        if name == "proxies":
            return self.proxies
        if name == "one_hot":
            return self.one_hot
        if name == "op_counts":
            return self.op_counts
        if name == "proxies_one_hot":
            return np.hstack([self.proxies, self.one_hot])
        column = PROXIES.index(top)
        if name == "top_1":
            return self.proxies[:, [column]]
        return np.delete(self.proxies, column, axis=1)


def files(space: Space) -> list[str]:
    """The names of the tables that the study reads."""
    data, _ = read_data(space.data)
    return [name for name in (data.path, data.join, SCORES) if name is not None]


def declared(space: Space) -> dict[str, str]:
    """The columns of the file's objectives by the name of the target, ``clean`` or an attack."""
    columns = [str(goal.entry.args[0]) for goal in space.goals]
    return {c.removeprefix(PREFIX).removesuffix("_eps1"): c for c in columns}


def read(folder: Path) -> Table:
    """The tables of the .nas file and the proxies.

    Of each isomorphism class the first cell that has proxies stays. Robustness was measured once
    for each class, of its representative, which is what the file's ``join`` says.
    """
    space = nasdsl.load(SPACE)
    data, _ = read_data(space.data)
    published = open_table(data, folder)
    with gzip.open(folder / SCORES, "rt", encoding="utf-8", newline="") as file:
        proxies = {r["arch_index"]: r for r in csv.DictReader(file) if r["params_cifar10"]}
    of = published.main.columns
    index, of_class = of["arch_index"], of["iso_index"]
    rows = published.main.rows
    chosen: dict[str, str] = {}
    for key in sorted(rows, key=lambda key: int(rows[key][index])):
        if rows[key][index] in proxies:
            chosen.setdefault(rows[key][of_class], key)
    keys = list(chosen.values())
    cells = [rows[key][index] for key in keys]

    def column(name: str) -> Array:
        return np.array([published.value(key, name) for key in keys])

    targets = {name: column(declared_as) for name, declared_as in declared(space).items()}
    for kind in CORRUPTIONS:
        severities = [column(f"{PREFIX}{kind}_s{s}") for s in range(1, 6)]
        targets[kind] = np.mean(severities, axis=0)
    targets["corruptions"] = np.mean([targets[kind] for kind in CORRUPTIONS], axis=0)
    edges = {str(a.key): a.decisions.values() for a in space}
    operations = np.array([[OPERATIONS.index(label) for label in edges[key]] for key in keys])
    hot = np.eye(len(OPERATIONS))[operations]
    return Table(
        cells=np.array([int(cell) for cell in cells]),
        proxies=np.array([[float(proxies[c][f"{p}_cifar10"]) for p in PROXIES] for c in cells]),
        one_hot=hot.reshape(len(cells), EDGES * len(OPERATIONS)),
        op_counts=hot.sum(axis=1),
        targets=targets,
    )


def split(n: int, size: int, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training and test rows of a split: the first ``size`` of a permutation, and the rest.

    The training cells of a smaller size are among those of a larger one of the same number.
    """
    order = np.random.default_rng(derive("proxies to robustness", number)).permutation(n)
    return order[:size], order[size:]


def forest(number: int) -> RandomForestRegressor:
    """The published model: 100 trees, bootstrap, scikit-learn's own defaults for the rest."""
    seed = derive("forest", number) % 2**32
    return RandomForestRegressor(n_estimators=TREES, random_state=seed, n_jobs=1)


def scores(x: Array, y: Array, size: int, number: int) -> list[tuple[float, float]]:
    """R2 and Kendall's tau-b on the test rows, for each column of ``y`` (n,) or (n, k)."""
    train, test = split(len(x), size, number)
    predicted = forest(number).fit(x[train], y[train]).predict(x[test])
    truth = y[test].reshape(len(test), -1)
    predicted = predicted.reshape(truth.shape)
    return [
        (float(r2_score(t, p)), float(kendalltau(t, p).statistic))
        for t, p in zip(truth.T, predicted.T, strict=True)
    ]


def importance(x: Array, y: Array, number: int, repeats: int) -> list[float]:
    """The mean fall of R2 when a column is permuted, on a fifth; four fifths train."""
    train, test = split(len(x), len(x) * 4 // 5, number)
    model = forest(number).fit(x[train], y[train])
    seed = derive("permutations", number) % 2**32
    found = permutation_importance(model, x[test], y[test], n_repeats=repeats, random_state=seed)
    return [float(value) for value in found.importances_mean]


def importances(table: Table, splits: int, jobs: int, repeats: int = 3) -> dict[str, Any]:
    """Permutation importance of each proxy for each target, means over the splits."""
    work = [(target, number) for target in TARGETS for number in range(splits)]
    found = Parallel(n_jobs=jobs)(
        delayed(importance)(table.proxies, table.targets[target], number, repeats)
        for target, number in work
    )
    by_target: dict[str, list[list[float]]] = {target: [] for target in TARGETS}
    for (target, _), values in zip(work, found, strict=True):
        by_target[target].append(values)
    return {
        target: dict(zip(PROXIES, np.mean(values, axis=0).tolist(), strict=True))
        for target, values in by_target.items()
    }


def study(table: Table, sizes: Sequence[int], splits: int, jobs: int) -> dict[str, Any]:
    """Every figure of the study, as JSON can hold it.

    ``forests[set][size][target]`` holds ``r2`` and ``tau``, one value per split; so does
    ``joint[size][attack or corruptions]`` (one forest with two outputs, clean and robust), with
    ``clean_r2`` for its other output. ``r2`` and ``tau`` by size and target are the means of
    the forests on the proxies; the single corruptions are among their targets. The
    importances and the single corruptions, which cost most, take fewer splits.
    """
    importance_splits, corruption_splits = min(splits, 2), min(splits, 3)
    important = importances(table, importance_splits, jobs)
    top = {target: max(PROXIES, key=important[target].__getitem__) for target in TARGETS}

    single = [(name, target, splits) for name in SETS for target in TARGETS]
    single += [("proxies", target, corruption_splits) for target in CORRUPTIONS]
    work = [
        (name, target, size, number, False)
        for size in sizes
        for name, target, count in single
        for number in range(count)
    ]
    work += [
        ("proxies", target, size, number, True)
        for size in sizes
        for target in TARGETS[1:]
        for number in range(splits)
    ]

    def arrays(name: str, target: str, joint: bool) -> tuple[Array, Array]:
        y = table.targets[target]
        if joint:
            y = np.stack([table.targets["clean"], y], axis=1)
        return table.features(name, top.get(target, "")), y

    found = Parallel(n_jobs=jobs)(
        delayed(scores)(*arrays(name, target, joint), size, number)
        for name, target, size, number, joint in work
    )
    forests: dict[str, Any] = {s: {str(size): {} for size in sizes} for s in SETS}
    together: dict[str, Any] = {str(size): {} for size in sizes}
    for (name, target, size, _, joint), values in zip(work, found, strict=True):
        place = together[str(size)] if joint else forests[name][str(size)]
        entry = place.setdefault(target, {"r2": [], "tau": []})
        entry["r2"].append(values[-1][0])
        entry["tau"].append(values[-1][1])
        if joint:
            entry.setdefault("clean_r2", []).append(values[0][0])

    def means(measure: str) -> dict[str, dict[str, float]]:
        return {
            size: {target: float(np.mean(entry[measure])) for target, entry in row.items()}
            for size, row in forests["proxies"].items()
        }

    def tau(a: Array, b: Array) -> float:
        return float(kendalltau(a, b).statistic)

    return {
        "settings": {
            "cells": len(table.cells),
            "sizes": list(sizes),
            "splits": splits,
            "importance_splits": importance_splits,
            "corruption_splits": corruption_splits,
            "trees": TREES,
            "proxies": list(PROXIES),
        },
        "r2": means("r2"),
        "tau": means("tau"),
        "forests": forests,
        "joint": together,
        "importance": important,
        "top_1": top,
        "proxy_tau": {
            target: {
                proxy: tau(table.proxies[:, i], table.targets[target])
                for i, proxy in enumerate(PROXIES)
            }
            for target in TARGETS
        },
        "clean_tau": {
            target: tau(table.targets["clean"], values)
            for target, values in table.targets.items()
            if target != "clean"
        },
    }


def main() -> None:
    """Measures, prints the means, and writes every figure where the command says."""
    parser = options(__doc__, 5, "splits", "one split of one cell in 8")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default 2)")
    given = parser.parse_args()
    check(parser, given, files(nasdsl.load(SPACE)))
    if given.jobs < 1:
        parser.error("--jobs must be at least 1")
    began = time.perf_counter()
    table, splits = read(given.data), given.seeds
    sizes: tuple[int, ...] = SIZES
    if given.quick:
        table, sizes, splits = table.every(QUICK), SIZES[:-1], 1
    result = study(table, sizes, splits, given.jobs)
    result["seconds"] = round(time.perf_counter() - began, 1)
    result["jobs"] = given.jobs
    print(f"{'R2 (tau)':>14}" + "".join(f"{target:>14}" for target in TARGETS))
    for size in map(str, sizes):
        row = (f"{result['r2'][size][t]:.2f} ({result['tau'][size][t]:.2f})" for t in TARGETS)
        print(f"{size:>14}" + "".join(f"{cell:>14}" for cell in row))
    print(f"{result['settings']['cells']} cells, {splits} splits, {result['seconds']} s")
    write_json(given.json, result)


if __name__ == "__main__":
    main()
