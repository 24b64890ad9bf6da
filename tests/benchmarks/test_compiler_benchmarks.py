"""The compiler's benchmarks run, with little installed, and hold estimates to the truth."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import nasdsl
from benchmarks.neighborhood import Reference, around, filled, means, sampled
from benchmarks.population import cells
from nasdsl.seeding import generator

ROOT = Path(__file__).parents[2]
BARE = """
import runpy, sys

for name in ("scipy", "sklearn", "psutil", "safetensors", "moocore", "PIL"):
    sys.modules[name] = None
sys.argv = ["gpu", "--device", "cpu", "--quick"]
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""


@pytest.mark.slow
def test_all_parts_run_with_the_few_libraries_of_a_cuda_machine() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[0])
    parts = list(dict.fromkeys(row[0] for row in found["rows"]))
    assert parts == ["build", "step", "population", "noise", "neighborhood"]
    assert "beyond the time limit" not in done.stdout


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
