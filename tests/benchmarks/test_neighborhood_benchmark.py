"""Estimates of neighborhoods are held to what was measured, kept, and drawn where they are."""

from __future__ import annotations

import json
import math
import statistics
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch

import nasdsl
from benchmarks.neighborhood import LEVELS, LINES
from benchmarks.neighborhood_estimators import constants, filled, sampled, shared
from benchmarks.neighborhood_plot import COLORS, drawing
from benchmarks.neighborhood_scratch import Kept, Reference, Scratch, Setting, around, means
from benchmarks.population import cells, data_for
from nasdsl.seeding import generator
from nasdsl.training.settings import TrainSettings

WAY = "Cell.n[3].0"
SVG = "{http://www.w3.org/2000/svg}"


def test_estimates_are_held_to_what_was_measured() -> None:
    balls = around(nasdsl.load(cells(8, 2)), 4)
    everything = {each.fingerprint: each for c, near in balls for each in (c, *near)}
    values = {p: 100 * generator("value", p).random() for p in everything}
    reference = Reference(balls, values)
    for (center, near), mean, drop in zip(balls, reference.means, reference.drops, strict=True):
        ball = [values[a.fingerprint] for a in (center, *near)]
        assert mean == pytest.approx(statistics.fmean(ball))
        assert drop == pytest.approx(values[center.fingerprint] - mean)
    exact = reference.row("itself", 25, means(balls, values))
    assert (exact["mean"], exact["drop"], exact["error"]) == (1.0, 1.0, 0.0)
    turned = reference.row("turned", 25, [-m for m in reference.means])
    assert turned["mean"] == -1.0
    assert reference.row("center", 1, reference.own)["drop"] is None


def test_what_is_trained_for_an_estimate_counts_as_measured() -> None:
    (ball,) = around(nasdsl.load(cells(8, 2)), 1)
    center, near = ball
    others = [n for n in near if n.fingerprint != center.fingerprint]
    values = {a.fingerprint: float(k) for k, a in enumerate((center, *near))}
    own = {center.fingerprint: 50.0}
    (found,) = filled([ball], own, values, len(others), later=False)
    expected = [own.get(a.fingerprint, values[a.fingerprint]) for a in (center, *near)]
    assert found == pytest.approx(statistics.fmean(expected))
    (drawn,) = sampled([ball], own, values, len(others))
    mean = statistics.fmean(values[n.fingerprint] for n in others)
    assert drawn == pytest.approx((50.0 + len(near) * mean) / (1 + len(near)))


def test_neighbors_that_do_not_read_the_image_guess() -> None:
    """A cell whose one way from the input to the output is an edge: without it, all is zero."""
    space = nasdsl.load(cells(8, 2))
    cut = dict.fromkeys(space.sample(0).decisions, "none")
    center = space.architecture({**cut, WAY: "skip_connect"})
    near = [n.architecture for n in space.neighbors(center) if n.architecture is not None]
    (found,) = constants([(center, near)], {center.fingerprint: 60.0}, 10.0)
    assert sum(a.decisions[WAY] == "none" for a in near) == 1
    assert found == pytest.approx((60.0 * len(near) + 10.0) / (1 + len(near)))


def test_a_number_is_measured_once(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    first = Kept("digits", path)
    assert first.get("a", lambda: 1.0) == 1.0
    assert first.get("a", lambda: 2.0) == 1.0
    first.save()
    assert Kept("digits", path).get("a", lambda: 3.0) == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["kept.json"]
    with pytest.raises(ValueError, match="is of 'digits', not of 'images'"):
        Kept("images", path)


def test_a_run_that_goes_on_ends_as_one_that_was_not_cut(tmp_path: Path) -> None:
    setting = Setting("tiny", cells(8, 2), TrainSettings(steps=2, batch=8))
    data = data_for(8, 16, "cpu")
    balls = [(center, near[:3]) for center, near in around(nasdsl.load(setting.space), 2)]
    path = tmp_path / "kept.json"

    def run() -> tuple[dict[str, float], list[float]]:
        scratch = Scratch(setting, data, Kept(setting.name, path))
        accuracies = scratch.accuracies(balls, 0)
        return accuracies, shared(scratch, balls, accuracies, "shared", 1.0)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = run()
        known = json.loads(path.read_text())["values"]
        kept = {k: v for k, v in known.items() if generator("kept", k).random() < 0.5}
        assert 0 < len(kept) < len(known)
        path.write_text(json.dumps({"setting": setting.name, "values": kept}))
        assert run() == found
    finally:
        torch.set_num_threads(threads)
    assert json.loads(path.read_text())["values"].keys() == known.keys()


def test_equal_centers_have_estimates_of_their_own(tmp_path: Path) -> None:
    """Two cells of which only dead edges differ: one network, but other neighbors."""
    setting = Setting("tiny", cells(8, 2), TrainSettings(steps=1, batch=8))
    space = nasdsl.load(setting.space)
    dead = {**dict.fromkeys(space.sample(0).decisions, "none"), WAY: "skip_connect"}
    centers = [space.architecture(d) for d in (dead, {**dead, "Cell.n[1].0": "skip_connect"})]
    assert centers[0].fingerprint == centers[1].fingerprint
    # Of the first center a neighbor that is the center again, of the second one that is not.
    ways = ({"Cell.n[1].0": "skip_connect"}, {"Cell.n[3].1": "skip_connect"})
    balls = [
        (center, [space.architecture({**center.decisions, **way})])
        for center, way in zip(centers, ways, strict=True)
    ]
    kept = Kept(setting.name, tmp_path / "kept.json")
    scratch = Scratch(setting, data_for(8, 16, "cpu"), kept)
    own = {centers[0].fingerprint: 1000.0}
    first, second = shared(scratch, balls, own, "shared", 1.0)
    assert first == 1000.0
    assert second < 1000.0


def test_points_stand_at_their_price_and_tau() -> None:
    rows = [
        {"estimator": "the center alone", "price": 1, "mean": 0.4, "drop": None},
        {"estimator": "surrogate", "price": 1, "mean": 0.6, "drop": 0.2},
        {"estimator": "surrogate", "price": 5, "mean": 0.8, "drop": 0.4},
        {"estimator": "shared", "price": 25, "mean": 1.0, "drop": -0.1},
        {"estimator": "unknown to the drawing", "price": 3, "mean": 0.5, "drop": 0.5},
    ]
    root = ET.fromstring(drawing(rows, LINES, LEVELS))
    labels = {t.text for t in root.iter(f"{SVG}text")}
    assert {*LINES.values(), "center alone", "1x", "25x"} <= labels
    first, second = _points(root, COLORS[0])[:2]
    (last, negative) = _points(root, COLORS[1])
    (dashed,) = [line for line in root.iter(f"{SVG}line") if line.get("stroke-dasharray")]
    low, high = float(dashed.get("y1", "")), last[1]
    unit = (low - high) / 0.6
    assert first[1] == pytest.approx(high + 0.4 * unit, abs=0.2)
    assert second[1] == pytest.approx(high + 0.2 * unit, abs=0.2)
    assert negative[1] == pytest.approx(high + 1.1 * unit, abs=0.2)
    along = (second[0] - first[0]) / (last[0] - first[0])
    assert along == pytest.approx(math.log(5) / math.log(25), abs=0.01)
    assert sum(1 for _ in root.iter(f"{SVG}circle")) == 6


def _points(root: ET.Element, color: str) -> list[tuple[float, float]]:
    return [
        (float(c.get("cx", "")), float(c.get("cy", "")))
        for c in root.iter(f"{SVG}circle")
        if c.get("fill") == color
    ]
