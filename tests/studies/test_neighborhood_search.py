"""The table study of searchers: what an evaluation is, what is judged, and what the page says."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import nasdsl
from nasdsl.search.features import Features
from nasdsl.search.variation import Variation

study, page = map(import_module, ("neighborhood_search", "neighborhood_search_page"))
tables, searches = map(import_module, ("nasbench_table", "table_search"))
SPACE = nasdsl.load(tables.SPACE)


@pytest.fixture(scope="module")
def made_up() -> Any:
    """A table of made-up values in which every third rank is equal to its successor."""
    draw = np.random.default_rng(0)
    network = np.arange(SPACE.size) // 3
    values = draw.random(SPACE.size)
    judged = {d: {"test200": values + 1, "pgd": values + 2} for d in tables.DATASETS}
    table = tables.Table(network, dict.fromkeys(tables.DATASETS, values), judged)
    return tables.World(SPACE, table, Variation(SPACE), Features("decisions"))


def contender(name: str) -> Any:
    return next(c for c in searches.CONTENDERS if c.name == name)


@pytest.mark.parametrize("name", ["random", "local", "evolution", "na_random", "na_evolution"])
def test_the_budget_is_spent_and_the_pick_was_measured(made_up: Any, name: str) -> None:
    search = searches.Search(made_up, "cifar10", contender(name), 1, 40)
    ends = search.run()
    assert search.spent == len(search._networks) <= 40
    assert search.spent > 40 - 1 - searches.NEIGHBORS
    best = ends["value"]
    assert best["test200"] == pytest.approx(best["val12"] + 1)
    assert best["pgd"] == pytest.approx(best["val12"] + 2)
    assert len(search.curve) == searches.MARKS
    assert search.curve[-1] == ends
    if name in ("random", "local", "evolution"):
        assert best["val12"] == max(search._found)
        risen = [point["value"]["val12"] for point in search.curve]
        assert risen == sorted(risen)


def test_a_measured_neighborhood_is_the_mean_of_seven(made_up: Any) -> None:
    search = searches.Search(made_up, "cifar10", contender("na_random"), 3, 21)
    search.run()
    values = made_up.table.search["cifar10"]
    near = {n.rank for n, _ in made_up.variation.neighbors(search._centers[0])}
    own = values[search._centers[0].rank]
    rest = search._found[0] * (searches.NEIGHBORS + 1) - own
    least, most = (sorted(values[sorted(near)])[s] for s in (slice(6), slice(-6, None)))
    assert sum(least) <= rest <= sum(most)


def test_a_free_neighbor_leaves_the_whole_budget_to_proposals(made_up: Any) -> None:
    search = searches.Search(made_up, "cifar10", contender("na_random"), 1, 20, price=0.0)
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
    for dataset in tables.DATASETS:
        for one in searches.CONTENDERS:
            cell = study.Cell(dataset, one.name)
            worth = {"test200": 50.0, "pgd": 1.0, "val12": 40.0}
            if dataset != "imagenet16":
                worth["corruptions"] = 30.0
            ends = [
                {rule: {k: v + s for k, v in worth.items()} for rule in one.picks} for s in (0, 1)
            ]
            runs[cell] = [(end, [end] * searches.MARKS) for end in ends]
            if one.measured and dataset == "cifar10":
                runs[study.Cell(dataset, one.name, 0.0)] = runs[cell]
    figures = study.gathered(runs, searches.CONTENDERS, 2, 60, [0.0])
    best = {"test200": 51.0, "pgd": 2.0, "corruptions": 31.0}
    figures["optima"] = {
        d: {"greatest": best, "of_best_val12": best, "cells_of_best_val12": 1}
        for d in tables.DATASETS
    }
    figures |= {"jobs": 2, "seconds": 1.0, "processor_seconds": 1.0}
    text = page.page(figures)
    # Two values 50 and 51: t(0.975, 1) = 12.7062, times a standard error of 1/2.
    assert "| `random` | 50.50 ± 6.35 | 30.50 ± 6.35 | 1.50 ± 6.35 |" in text
    assert "CIFAR-10 the same (0.00 ± 0.00)" in text
    assert "Not told apart from the twin, or better: `na_random` at 1.0" in text
    drawing = ElementTree.fromstring(page.curves(figures))
    assert len(drawing.findall(".//{*}polyline")) == 3 * len(page.DRAWN)


def test_the_quick_form_runs_and_makes_a_page(
    made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On made-up values: the command, its processes, and the page from what they wrote."""
    for name in (tables.ACCURACY, tables.ROBUSTNESS):
        (tmp_path / name).touch()
    monkeypatch.setattr(study, "world", lambda folder: made_up)
    out = tmp_path / "figures.json"
    command = ["--quick", "--data", str(tmp_path), "--json", str(out), "--only", "na_random"]
    monkeypatch.setattr(sys, "argv", ["study", *command, "local"])
    study.main()
    figures = json.loads(out.read_text())
    assert (figures["seeds"], figures["evaluations"]) == (2, 30)
    assert set(figures["results"]["cifar10"]) == {"na_random", "local", "local_aware"}
    assert set(figures["prices"]) == {str(p) for p in study.PRICES}
    assert figures["differences"]["cifar100"]["local_aware"]["twin"] == "local"
    monkeypatch.setattr(sys, "argv", ["study", "--data", str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        study.main()


@pytest.mark.parametrize(
    ("mean", "half_width", "words"),
    [(1.0, 0.5, "better"), (-1.0, 0.5, "worse"), (0.1, 0.5, "not told apart"), (0, 0, "the same")],
)
def test_a_verdict_is_that_of_the_interval(mean: float, half_width: float, words: str) -> None:
    assert page.verdict({"mean": mean, "half_width": half_width}) == words


def test_the_published_tables_are_read_as_published() -> None:
    frame = import_module("study_frame")
    folder = frame.data_folder()
    if lacking := frame.missing(folder, (tables.ACCURACY, tables.ROBUSTNESS)):
        pytest.skip(f"{folder} lacks {', '.join(lacking)}")
    table = tables.read_table(SPACE, folder)
    assert len(np.unique(table.network)) == 6466
    assert table.judged["cifar10"]["test200"].max() == pytest.approx(94.3733, abs=1e-4)
    assert table.judged["cifar10"]["pgd"].max() == pytest.approx(58.8)
    assert table.judged["cifar10"]["corruptions"].max() == pytest.approx(58.55, abs=0.01)
    assert "corruptions" not in table.judged["imagenet16"]
