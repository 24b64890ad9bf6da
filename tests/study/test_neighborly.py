"""The best of a run picked by predicted neighborhoods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nasdsl
from nasdsl.study import choice
from nasdsl.study.records import Trial
from nasdsl.study.run_settings import settings_of

PATH = Path(__file__).resolve().parents[2] / "examples" / "studies" / "neighborhood_search.nas"
TEXT = PATH.read_text(encoding="utf-8").replace("samples 300", "samples 300, aware true")


def test_a_lucky_value_in_a_poor_neighborhood_is_not_picked() -> None:
    space = nasdsl.load(TEXT)
    settings, _ = settings_of(space)
    assert settings is not None
    draw = np.random.default_rng(0)
    ranks = [int(r) for r in draw.choice(space.size, 100, replace=False)]
    truth = [sum(v == "nor_conv_3x3" for v in space[r].decisions.values()) for r in ranks]
    values = [t + 0.1 * draw.random() for t in truth]
    lucky = truth.index(1)
    values[lucky] = max(values) + 0.5
    rows = [
        Trial(i, str(i), 0, rank=r, state="complete", objectives={"accuracy": v})
        for i, (r, v) in enumerate(zip(ranks, values, strict=True))
    ]
    rows.append(Trial(100, "failed", 0, rank=0, state="failed", objectives={"accuracy": 99.0}))
    on_the_way = choice.best(rows, settings.plan)
    assert on_the_way is not None
    assert on_the_way.number == lucky
    picked = choice.best(rows, settings.plan, space)
    assert picked is not None
    assert truth[picked.number] == max(truth)
    assert choice.best(rows[100:], settings.plan, space) is None


@pytest.mark.parametrize(
    ("change", "neighborly"),
    [
        (("", ""), True),
        ((", aware true", ""), False),
        (("maximize accuracy }", "maximize accuracy, minimize params }"), False),
        (("objective {", "best maximize accuracy\nobjective {"), False),
    ],
)
def test_the_file_says_how_the_best_is_picked(change: tuple[str, str], neighborly: bool) -> None:
    text = TEXT.replace(*change) if change[0] else TEXT
    settings, found = settings_of(nasdsl.load(text))
    assert settings is not None, found
    assert settings.plan.neighborly is neighborly
