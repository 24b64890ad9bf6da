"""The studies that train supernets, on a few images, and their pages on made-up figures."""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

STUDIES = Path(__file__).resolve().parents[2] / "examples" / "studies"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, STUDIES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


na_darts, na_darts_page = module("na_darts"), module("na_darts_page")
flatnas, flatnas_page = module("flatnas_small"), module("flatnas_small_page")


@pytest.fixture(scope="module")
def data() -> Path:
    import os

    folder = Path(os.environ.get("NASDSL_DATA") or STUDIES.parents[2] / "shared" / "data")
    for name in (na_darts.IMAGES, na_darts.TABLE):
        if not (folder / name).is_file():
            pytest.skip(f"needs {name}: set NASDSL_DATA to its folder")
    return folder


# NA-DARTS


def test_na_darts_costs_what_darts_does(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    scale = replace(na_darts.QUICK, images=32)
    found = na_darts.study(data, [0], scale, out)
    runs = {name: found["runs"][name]["0"] for name in ("darts", "na_darts")}
    # 16 images a side are one step an epoch: 2 epochs of 2 passes, 1 of 4.
    assert runs["darts"]["passes"] == runs["na_darts"]["passes"] == 4
    table = na_darts.published(data)
    for run in runs.values():
        assert run["test200"] == table[run["cell"]]
        assert 0 <= run["skips"] <= 6
        around = [
            value
            for cell, value in table.items()
            if sum(a != b for a, b in zip(_edges(cell), _edges(run["cell"]), strict=True)) == 1
        ]
        assert len(around) == 24
        assert run["neighbors_test200"] == pytest.approx(np.mean(around))
    assert json.loads(out.read_text()) == json.loads(json.dumps(found))
    # What is there is kept: a run that goes on trains what is missing alone.
    again = na_darts.study(data, [0], scale, out)
    assert again["runs"] == json.loads(out.read_text())["runs"]
    page = na_darts_page.page(found)
    assert "a single seed has no interval" in page
    assert "4 passes" in page


def _edges(cell: str) -> list[str]:
    return [edge for node in cell.split("+") for edge in node.strip("|").split("|")]


def test_unequal_costs_are_refused() -> None:
    with pytest.raises(SystemExit, match="equal cost"):
        na_darts.Scale(epochs=5, neighbors=2).methods()


def made_up(differences: list[float]) -> dict[str, Any]:
    """Figures in which NA-DARTS is ahead by so much, seed by seed."""

    def run(accuracy: float, epochs: int, skips: int) -> dict[str, Any]:
        row = {
            "cell": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
            "test200": accuracy,
            "neighbors_test200": accuracy - 1,
            "skips": skips,
            "skip_mass": 0.2,
        }
        epoch = row | {"entropy": 0.9, "loss": 1.5}
        path = [epoch | {"test200": accuracy - (epochs - 1 - i)} for i in range(epochs)]
        return row | {"path": path, "passes": 1736, "seconds": 60.0}

    scale = na_darts.Scale()
    methods = {name: {"epochs": s.epochs} for name, s in scale.methods().items()}
    return {
        "scale": {"images": 8000, "batch": 64, "neighbors": 2, "decision_lr": 0.01},
        "methods": methods,
        "benchmark": {"cells": 15625, "mean": 87.06, "best": 94.37},
        "runs": {
            "darts": {str(i): run(80.0 + i, 14, 1) for i in range(len(differences))},
            "na_darts": {str(i): run(80.0 + i + d, 7, 2) for i, d in enumerate(differences)},
        },
    }


def test_the_page_says_what_the_interval_says() -> None:
    above = na_darts_page.page(made_up([2.0, 2.5, 3.0]))
    assert "test accuracy: +2.50 [+1.26, +3.74]; NA-DARTS is better" in above
    below = na_darts_page.page(made_up([-2.0, -2.5, -3.0]))
    assert "test accuracy: -2.50 [-3.74, -1.26]; NA-DARTS is worse" in below
    neither = na_darts_page.page(made_up([-2.0, 2.5, 3.0]))
    assert "these seeds do not tell the two apart" in neither
    # DARTS at half of its passes was 7 below its end.
    part, halfway = na_darts_page.halfway(made_up([2.0, 2.5, 3.0]))
    assert (part, halfway) == (0.5, [9.0, 9.5, 10.0])
    ElementTree.fromstring(na_darts_page.drawing(made_up([2.0, 2.5, 3.0])))


def test_a_page_of_unequal_costs_is_refused() -> None:
    figures = made_up([1.0, 2.0])
    figures["runs"]["darts"]["1"]["passes"] += 1
    with pytest.raises(SystemExit, match="did not cost the same"):
        na_darts_page.page(figures)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=2, max_size=8))
def test_intervals_are_those_of_the_paired_test(pairs: list[tuple[float, float]]) -> None:
    """0 lies outside the interval where the paired t test says p < 0.05."""
    differences = [a - b for a, b in pairs]
    assume(np.std(differences) > 1e-3)
    p = float(ttest_rel([a for a, _ in pairs], [b for _, b in pairs]).pvalue)
    assume(abs(p - 0.05) > 1e-6)
    for page in (na_darts_page, flatnas_page):
        mean, low, high = page.interval(differences)
        assert low <= mean <= high
        assert (low > 0 or high < 0) == (p < 0.05)
    assert (flatnas_page.told(differences) == "told apart") == (p < 0.05)


# FlatNAS


@pytest.fixture(scope="module")
def small(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    scale = replace(
        flatnas.QUICK, images=64, validation=20, corrupted=2, evaluations=4, initial=2, sampled=2
    )
    out = tmp_path_factory.mktemp("flatnas") / "figures.json"
    found: dict[str, Any] = flatnas.study(data, None, [0], scale, out)
    assert json.loads(out.read_text()) == json.loads(json.dumps(found))
    return found


def test_flatnas_compares_at_equal_cost(small: dict[str, Any]) -> None:
    run = small["seeds"]["0"]
    passes = {s["passes"] for s in run["supernets"].values()}
    # One batch of 64 an epoch, three paths: 2 epochs of SGD, 1 of SAM at twice the passes.
    assert passes == {6}
    assert [(r["optimizer"], r["alpha"]) for r in run["searches"]] == [
        (o, a) for o in ("sgd", "sam") for a in flatnas.ALPHAS
    ]
    assert {r["evaluations"] for r in run["searches"]} == {4}
    assert all(r["params"] <= small["bound"] for r in run["searches"])
    for row in run["searches"]:
        assert 0 <= row["mce"] <= 100
        assert 0 <= row["test_error"] <= 100
        assert row["r_sigma"] >= 0
    assert [r["optimizer"] for r in run["sampled"]] == ["sgd"] * 2 + ["sam"] * 2


def test_the_page_of_flatnas_from_its_figures(small: dict[str, Any]) -> None:
    figures = copy.deepcopy(small)
    row = figures["seeds"]["0"]
    figures["seeds"] = {}
    for seed in range(3):
        moved = copy.deepcopy(row)
        for at, pick in enumerate(moved["searches"]):
            pick |= {"mce": 60.0 + seed + at, "test_error": 50.0 - at, "r_sigma": 1.0 + 0.1 * seed}
        figures["seeds"][str(seed)] = moved
    text = flatnas_page.page(figures)
    # The searches are 0.1, 0.5, 0.9 and 1 of SGD, then of SAM: mCE of SAM 0.5 is 2 above SGD 1.
    assert flatnas_page.values(figures, "sam", 0.5, "mce") == [65.0, 66.0, 67.0]
    assert "SAM with alpha 0.5 less SGD with accuracy alone: mCE +2.0 [+2.0, +2.0]" in text
    assert "| SGD | alpha 0.1 | 61.0 [58.5, 63.5] | 50.0 [50.0, 50.0] |" in text
    assert "3 seeds" in text
    assert "a word about this run" in flatnas_page.page(figures | {"note": "a word about this run"})
    assert "a word about this run" not in text
    ElementTree.fromstring(flatnas_page.drawing(figures))


def test_rank_correlations_are_taken_on_each_supernet(small: dict[str, Any]) -> None:
    figures = copy.deepcopy(small)
    rows = [
        {"optimizer": o, "r_sigma": r, "mce": m, "accuracy": -m, "params": 1}
        for o, pairs in (("sgd", [(1, 10), (2, 20), (3, 30)]), ("sam", [(1, 30), (2, 20), (3, 10)]))
        for r, m in pairs
    ]
    figures["seeds"]["0"]["sampled"] = rows
    assert flatnas_page.rank_correlations(figures, "sgd", "r_sigma") == [pytest.approx(1.0)]
    assert flatnas_page.rank_correlations(figures, "sam", "r_sigma") == [pytest.approx(-1.0)]
    assert flatnas_page.rank_correlations(figures, "sam", "accuracy") == [pytest.approx(-1.0)]
    # Equal numbers of parameters rank nothing.
    assert flatnas_page.rank_correlations(figures, "sgd", "params") == []
