"""The table study of searchers: what an evaluation is, what is judged, and what the page says."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import nasdsl
from nasdsl.search.features import Features
from nasdsl.search.variation import Variation

ROOT = Path(__file__).resolve().parents[2]


def _module(name: str) -> ModuleType:
    path = ROOT / "examples" / "studies" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


study = _module("neighborhood_search")
page = _module("neighborhood_search_page")
SPACE = nasdsl.load(study.SPACE)


@pytest.fixture(scope="module")
def made_up() -> Any:
    """A table of made-up values in which every third rank is equal to its successor."""
    draw = np.random.default_rng(0)
    network = np.arange(SPACE.size) // 3
    values = draw.random(SPACE.size)
    judged = {d: {"test200": values + 1, "pgd": values + 2} for d in study.DATASETS}
    table = study.Table(network, dict.fromkeys(study.DATASETS, values), judged)
    return study.World(SPACE, table, Variation(SPACE), Features("decisions"))


def contender(name: str) -> Any:
    return next(c for c in study.CONTENDERS if c.name == name)


@pytest.mark.parametrize("name", ["random", "local", "evolution", "na_random", "na_evolution"])
def test_the_budget_is_spent_and_the_pick_was_measured(made_up: Any, name: str) -> None:
    search = study.Search(made_up, "cifar10", contender(name), 1, 40)
    ends = search.run()
    assert search.spent == len(search._networks) <= 40
    assert search.spent > 40 - 1 - study.NEIGHBORS
    best = ends["value"]
    assert best["test200"] == pytest.approx(best["val12"] + 1)
    assert best["pgd"] == pytest.approx(best["val12"] + 2)
    assert len(search.curve) == study.MARKS
    assert search.curve[-1] == ends
    if name in ("random", "local", "evolution"):
        assert best["val12"] == max(search._found)
        risen = [point["value"]["val12"] for point in search.curve]
        assert risen == sorted(risen)


def test_a_measured_neighborhood_is_the_mean_of_seven(made_up: Any) -> None:
    search = study.Search(made_up, "cifar10", contender("na_random"), 3, 21)
    search.run()
    values = made_up.table.search["cifar10"]
    near = {n.rank for n, _ in made_up.variation.neighbors(search._centers[0])}
    own = values[search._centers[0].rank]
    rest = search._found[0] * (study.NEIGHBORS + 1) - own
    least, most = (sorted(values[sorted(near)])[s] for s in (slice(6), slice(-6, None)))
    assert sum(least) <= rest <= sum(most)


def test_a_free_neighbor_leaves_the_whole_budget_to_proposals(made_up: Any) -> None:
    search = study.Search(made_up, "cifar10", contender("na_random"), 1, 20, price=0.0)
    search.run()
    paid = {int(made_up.table.network[a.rank]) for a in search._centers}
    assert search.spent == 20
    assert len(paid) >= 20, "known proposals are free, so there may be more"


def test_intervals_are_students() -> None:
    found = study.estimate([1.0, 2.0, 3.0, 6.0])
    assert found["mean"] == 3.0
    # t(0.975, 3) = 3.182446; the standard deviation is sqrt(14 / 3).
    assert found["half_width"] == pytest.approx(3.182446 * (14 / 3) ** 0.5 / 2, rel=1e-6)
    assert study.estimate([4.0]) == {"mean": 4.0, "half_width": 0.0}


def test_the_page_says_what_the_figures_say(made_up: Any, tmp_path: Path) -> None:
    runs = {}
    for dataset in study.DATASETS:
        for one in study.CONTENDERS:
            cell = study.Cell(dataset, one.name)
            worth = {"test200": 50.0, "pgd": 1.0, "val12": 40.0}
            if dataset != "imagenet16":
                worth["corruptions"] = 30.0
            ends = [
                {rule: {k: v + s for k, v in worth.items()} for rule in one.picks} for s in (0, 1)
            ]
            runs[cell] = [(end, [end] * study.MARKS) for end in ends]
            if one.measured and dataset == "cifar10":
                runs[study.Cell(dataset, one.name, 0.0)] = runs[cell]
    figures = study.gathered(runs, study.CONTENDERS, 2, 60, [0.0])
    best = {"test200": 51.0, "pgd": 2.0, "corruptions": 31.0}
    figures["optima"] = {
        d: {"greatest": best, "of_best_val12": best, "cells_of_best_val12": 1}
        for d in study.DATASETS
    }
    figures |= {"jobs": 2, "seconds": 1.0, "processor_seconds": 1.0}
    text = page.page(figures)
    # Two values 50 and 51: t(0.975, 1) = 12.7062, times a standard error of 1/2.
    assert "| `random` | 50.50 ± 6.35 | 30.50 ± 6.35 | 1.50 ± 6.35 |" in text
    assert "CIFAR-10 the same (0.00 ± 0.00)" in text
    assert "Not told apart from the twin, or better: `na_random` at 1.0" in text
    drawing = ElementTree.fromstring(page.curves(figures))
    assert len(drawing.findall(".//{*}polyline")) == 3 * len(page.DRAWN)


@pytest.mark.parametrize(
    ("mean", "half_width", "words"),
    [(1.0, 0.5, "better"), (-1.0, 0.5, "worse"), (0.1, 0.5, "not told apart"), (0, 0, "the same")],
)
def test_a_verdict_is_that_of_the_interval(mean: float, half_width: float, words: str) -> None:
    assert page.verdict({"mean": mean, "half_width": half_width}) == words


def test_the_published_tables_are_read_as_published() -> None:
    folder = Path(os.environ.get("NASDSL_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "nasbench201_accuracy.csv.gz").is_file():
        pytest.skip(f"there is no nasbench201_accuracy.csv.gz in {folder}")
    table = study.read_table(SPACE, folder)
    assert len(np.unique(table.network)) == 6466
    assert table.judged["cifar10"]["test200"].max() == pytest.approx(94.3733, abs=1e-4)
    assert table.judged["cifar10"]["pgd"].max() == pytest.approx(58.8)
    assert table.judged["cifar10"]["corruptions"].max() == pytest.approx(58.55, abs=0.01)
    assert "corruptions" not in table.judged["imagenet16"]
