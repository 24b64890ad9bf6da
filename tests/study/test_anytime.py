"""Curves of what had been found after so many networks, and the named picks of a front."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nasdsl.study import pareto
from nasdsl.study.records import State, Trial
from nasdsl.study.report.aim import Aim
from nasdsl.study.report.anytime import best_so_far, hypervolume_so_far, section
from nasdsl.study.report.curves import stairs
from nasdsl.study.report.picks import picks
from nasdsl.study.report.picks import section as picks_section

Role = Literal["center", "neighbor"]
AIMS = (Aim("accuracy", True, "%"), Aim("params", False))
numbers = st.integers(-3, 3).map(float)
STATES: tuple[State, ...] = ("complete", "complete", "complete", "failed", "queued")
ROLES: tuple[Role, ...] = ("center", "center", "neighbor")
states, roles = st.sampled_from(STATES), st.sampled_from(ROLES)


def trial(
    number: int, values: dict[str, float], state: State = "complete", role: Role = "center"
) -> Trial:
    return Trial(number, f"f{number}", number, state=state, role=role, objectives=values)


@st.composite
def runs(draw: st.DrawFn) -> list[Trial]:
    rows = draw(st.lists(st.tuples(numbers, numbers, states, roles, st.booleans()), max_size=12))
    trials = [
        trial(k, {"accuracy": a} if lost else {"accuracy": a, "params": p}, state, role)
        for k, (a, p, state, role, lost) in enumerate(rows)
    ]
    return draw(st.permutations(trials))


def at_each(measured: tuple[int, ...], values: tuple[float, ...], n: int) -> list[float | None]:
    """The curve read at 1 to n."""
    found: list[float | None] = []
    for place in range(1, n + 1):
        before = [v for m, v in zip(measured, values, strict=True) if m <= place]
        found.append(before[-1] if before else None)
    return found


def prefixes(trials: list[Trial]) -> list[list[Trial]]:
    """What was complete and a center, after each ended network."""
    ended = sorted((t for t in trials if t.state != "queued"), key=lambda t: t.number)
    return [
        [t for t in ended[:k] if t.state == "complete" and t.role == "center"]
        for k in range(1, len(ended) + 1)
    ]


@settings(deadline=None)
@given(runs(), st.booleans())
def test_the_best_so_far_is_the_best_of_each_beginning(trials: list[Trial], more: bool) -> None:
    found = best_so_far(trials, Aim("params", more))
    extreme = max if more else min
    expected = [
        extreme((t.objectives["params"] for t in of if "params" in t.objectives), default=None)
        for of in prefixes(trials)
    ]
    assert at_each(found.measured, found.values, found.whole) == expected
    assert found.whole == len(expected)


@settings(deadline=None)
@given(runs())
def test_the_hypervolume_so_far_is_that_of_each_beginning(trials: list[Trial]) -> None:
    found = hypervolume_so_far(trials, AIMS)
    rows = [
        [[t.objectives["accuracy"], t.objectives["params"]] for t in of if "params" in t.objectives]
        for of in prefixes(trials)
    ]
    assume(rows and rows[-1])
    worst = [min(a for a, _ in rows[-1]), max(p for _, p in rows[-1])]
    assert list(found.reference) == worst
    volumes = [pareto.hypervolume(part, [True, False], worst) for part in rows]
    expected = [100 * v / volumes[-1] if v else None for v in volumes]
    assert at_each(found.measured, found.values, found.whole) == pytest.approx(expected)
    assert all(a < b for a, b in pairwise(found.values))


def test_the_part_of_the_page_says_what_is_measured_from_where() -> None:
    trials = [
        trial(0, {"accuracy": 50.0, "params": 300}),
        trial(1, {}, state="failed"),
        trial(2, {"accuracy": 60.0, "params": 200}),
        trial(3, {"accuracy": 55.0, "params": 100}),
    ]
    text = section(trials, AIMS)
    assert "accuracy 50 %, params 300" in text
    assert text.count("<figure>") == 3
    assert section(trials[:1], AIMS) == "", "one network is no curve"
    one = section(trials, AIMS[:1])
    assert one.count("<figure>") == 1
    assert "hypervolume" not in one.lower()
    assert "<title>most accuracy in %</title>" in one


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8),
    st.integers(0, 5_000),
    st.data(),
)
def test_stairs_are_to_scale_and_inside_the_drawing(
    values: list[float], more: int, data: st.DataObject
) -> None:
    places = sorted(
        data.draw(st.sets(st.integers(1, 200), min_size=len(values), max_size=len(values)))
    )
    whole = places[-1] + more
    tree = ElementTree.fromstring(stairs(places, values, whole, "networks", "a <curve>"))
    line = tree.find(".//polyline")
    assert line is not None
    corners = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
    assert len(corners) == 2 * len(values)
    _, _, width, height = map(float, tree.attrib["viewBox"].split())
    assert all(0 <= x <= width and 0 <= y <= height for x, y in corners)
    dots = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in tree.iter("circle")]
    assert len(dots) == len(values)
    across = (corners[-1][0] - dots[0][0]) / max(1, whole - places[0])
    for (x, y), place, value in zip(dots, places, values, strict=True):
        assert x == pytest.approx(dots[0][0] + across * (place - places[0]), abs=0.11)
        if value > min(values):
            assert y <= dots[values.index(min(values))][1]
    texts = ["".join(t.itertext()) for t in tree.iter("text")]
    assert f"{whole:,}" in texts
    assert re.fullmatch(r"-?[\d,.e+-]+", texts[0])


def test_picks_are_the_ends_the_knee_and_the_balanced_one() -> None:
    # Losses: 0 and 1, 1 and 0, 0.1 and 0.6, 0.5 and 0.5.
    rows = {4: (100.0, 1000.0), 7: (0.0, 0.0), 9: (90.0, 600.0), 12: (50.0, 500.0)}
    front = [trial(n, {"accuracy": a, "params": p}) for n, (a, p) in rows.items()]
    found = {name: t.number for name, t in picks(front, AIMS).items()}
    assert found == {"most accuracy": 4, "least params": 7, "knee": 9, "balanced": 12}
    text = picks_section(front, AIMS, 9, {"accuracy": "%"})
    rows_shown = re.findall(r"<tr><td>(.*?)</tr>", text)
    assert rows_shown[2] == "knee</td><td>9 (best)</td><td>90</td><td>600</td>"
    assert "accuracy, %" in text
    assert picks(front, AIMS[:1]) == {}
    assert picks([], AIMS) == {}
    assert picks_section([], AIMS, None, {}) == ""


def test_of_equal_ends_the_better_one_elsewhere_is_picked() -> None:
    aims = (*AIMS, Aim("macs", False))
    rows = [(90.0, 10.0, 5.0), (90.0, 20.0, 4.0), (90.0, 12.0, 4.1), (80.0, 9.0, 9.0)]
    front = [
        trial(k, dict(zip(("accuracy", "params", "macs"), row, strict=True)))
        for k, row in enumerate(rows)
    ]
    assert picks(front, aims)["most accuracy"].number == 2
