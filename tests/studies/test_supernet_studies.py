"""The studies that train supernets, on a few images, and their pages on made-up figures."""

from __future__ import annotations

import copy
import json
import sys
import xml.etree.ElementTree as ElementTree
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

na_darts, na_darts_page = map(import_module, ("na_darts", "na_darts_page"))
flatnas, flatnas_page = map(import_module, ("flatnas_small", "flatnas_small_page"))
frame = import_module("study_frame")


def command(module: ModuleType, *arguments: object) -> None:
    """Runs a script's command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["study", *map(str, arguments)])
        module.main()


@pytest.fixture(scope="module")
def data() -> Path:
    folder: Path = frame.data_folder()
    if lacking := frame.missing(folder, (na_darts.IMAGES, na_darts.TABLE)):
        pytest.skip(f"needs {', '.join(lacking)}: set NASDSL_DATA to their folder")
    return folder


# NA-DARTS


def test_na_darts_costs_what_darts_does(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command(na_darts, "--quick", "--seeds", 1, "--data", data, "--json", out)
    found = json.loads(out.read_text())
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
    # What is there is kept: a run that goes on trains what is missing alone.
    again = na_darts.study(data, [0], na_darts.QUICK, out)
    assert again["runs"] == found["runs"]
    command(na_darts_page, out, tmp_path)
    page = (tmp_path / "na_darts.md").read_text()
    ElementTree.parse(tmp_path / "na_darts.svg")
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
    mean, low, high = frame.interval(differences)
    assert low <= mean <= high
    assert (low > 0 or high < 0) == (p < 0.05)
    assert (flatnas_page.told(differences) == "told apart") == (p < 0.05)


# FlatNAS


@pytest.mark.parametrize("study", [na_darts, flatnas])
def test_a_study_without_its_data_says_so(
    study: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command(study, "--quick", "--data", tmp_path)
    assert "lacks cifar10_subset_10k_2k.npz" in capsys.readouterr().err


def test_figures_of_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    assert frame.earlier(path, {"scale": 1}) == {}
    frame.write_json(path, {"scale": (1, 2), "seeds": {"0": 3}})
    assert frame.earlier(path, {"scale": (1, 2)})["seeds"] == {"0": 3}
    assert frame.earlier(path, {"scale": (1, 3)}) == {}
    assert frame.earlier(path, {"other": 1}) == {}
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(scope="module")
def small(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("flatnas") / "figures.json"
    command(flatnas, "--quick", "--seeds", 1, "--data", data, "--json", out)
    found: dict[str, Any] = json.loads(out.read_text())
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


def test_a_page_of_two_data_sets_shows_both(small: dict[str, Any], tmp_path: Path) -> None:
    other = copy.deepcopy(small) | {"data": "fashion_mnist"}
    files = [tmp_path / "one.json", tmp_path / "other.json"]
    for path, figures in zip(files, (small, other), strict=True):
        path.write_text(json.dumps(figures))
    command(flatnas_page, *files, tmp_path)
    text = (tmp_path / "flatnas_small.md").read_text()
    assert "## The CIFAR-10 subset" in text
    assert "## Fashion-MNIST" in text
    assert text.count("### Differences") == 2
    assert "--json fashion_mnist.json --fashion FOLDER" in text
    drawing = ElementTree.parse(tmp_path / "flatnas_small.svg").getroot()
    titles = [t.text for t in drawing.iter() if t.attrib.get("font-weight") == "bold"]
    assert titles == ["The CIFAR-10 subset", "Fashion-MNIST"]
    with pytest.raises(SystemExit, match="different settings"):
        flatnas_page.page(small, other | {"bound": 1})


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
