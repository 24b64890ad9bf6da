"""Drawings of profiles: places are proportional to values, and texts stay texts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasdsl.objectives.profile import FRACTIONS, Attacked, Noisy, Profile
from nasdsl.study.report import profiles
from nasdsl.study.report.comparison import comparison
from nasdsl.study.report.curves import HUES, Line, bounds, chart, mark, strips, ticks
from nasdsl.study.scoring import Assessment, Near, Score

EVIL = "</svg><script>alert(1)</script>&\"'"
PERCENT = st.floats(0, 100)


def numbers(text: str) -> list[float]:
    return [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", text)]


@given(st.lists(st.lists(PERCENT, min_size=3, max_size=3), min_size=1, max_size=10))
def test_heights_are_proportional_to_values(rows: list[list[float]]) -> None:
    lines = [Line(f"n{i}", i, tuple(row)) for i, row in enumerate(rows)]
    root = ElementTree.fromstring(chart(lines, ("a", "b", "c"), "x", "t", limits=(0, 100)))
    drawn = [numbers(p.attrib["points"]) for p in root.iter("polyline")]
    assert len(drawn) == len(rows)
    top, bottom = 12, 270 - 44
    for row, points in zip(rows, drawn, strict=True):
        assert points[1::2] == pytest.approx(
            [top + (100 - v) / 100 * (bottom - top) for v in row], abs=0.06
        )
        across = points[::2]
        assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.11)
    assert {g.attrib["class"] for g in root.iter("g")} == {
        f"hue{i % HUES}" for i in range(len(rows))
    }


@given(st.lists(st.tuples(PERCENT, st.floats(0, 30)), min_size=1, max_size=6))
def test_the_limits_hold_all_that_is_drawn(values: list[tuple[float, float]]) -> None:
    lines = [Line("n", 0, (v,), (s,)) for v, s in values]
    low, high = bounds(lines)
    assert 0 <= low < high <= 100
    for value, spread in values:
        assert low <= max(0.0, value - spread) + 1e-9
        assert high >= min(100.0, value + spread) - 1e-9


@given(st.floats(0, 99), st.floats(0.5, 100), st.integers(1, 8))
def test_ticks_are_few_and_within(low: float, width: float, most: int) -> None:
    found = ticks(low, low + width, most)
    assert len(found) <= most + 1
    assert all(low - 1e-6 <= t <= low + width + 1e-6 for t in found)


def test_every_hue_of_four_has_a_shape_of_its_own() -> None:
    drawn = [mark(50, 50, hue, 4) for hue in range(4)]
    assert [len(numbers(text)) for text in drawn] == [3, 8, 6, 8]
    assert drawn[1] != drawn[3], "a square and a diamond"


def test_a_strip_places_neighbors_and_the_network_itself() -> None:
    text = strips([("n", 80.0, [("grow", 90.0), ("shrink", 70.0)])], "t", width=1000)
    root = ElementTree.fromstring(text)
    dots = sorted(float(c.attrib["cx"]) for c in root.iter("circle"))
    own = next(float(e.attrib["x1"]) for e in root.iter("line") if e.attrib["class"] == "own")
    mean = next(float(e.attrib["x1"]) for e in root.iter("line") if e.attrib["class"] == "mean")
    assert own == pytest.approx((dots[0] + dots[1]) / 2, abs=0.1)
    assert mean == pytest.approx(own, abs=0.1)
    said = [e.text for e in root.iter("title")]
    assert "n, grow: 90.00 %" in said


def test_equal_neighbors_stand_beside_each_other() -> None:
    near = [(f"e{i}", 70.0) for i in range(4)]
    root = ElementTree.fromstring(strips([("n", None, near)], "t"))
    assert len({c.attrib["cy"] for c in root.iter("circle")}) == 4


class Reader(HTMLParser):
    """Fails where tags do not close; collects what is shown."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.shown = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        assert not any(name in ("src", "href") or name.startswith("on") for name, _ in attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.shown += data + "\n"


def whole(clean: float) -> Profile:
    radii = tuple(8 / 255 * f for f in FRACTIONS)
    return Profile(
        "validation",
        100,
        clean,
        {"fog": (10.0, 20.0, 30.0, 40.0, 50.0), "snow": (20.0, 30.0, 40.0, 50.0, 60.0)},
        50,
        100 - clean,
        (Attacked("pgd", "linf", clean, radii, (80.0, 70.0, 60.0, 40.0, 5.0), 3, 50),),
        Noisy((0.1, 0.2), (70.0, 50.0), (1.0, 2.0), (3.5, 4.25), 10),
        {"square": "no luck"},
    )


def test_a_part_says_what_was_measured() -> None:
    reader = Reader(profiles.parts([("first", whole(90.0)), ("second", whole(85.0))]))
    assert "35.00" in reader.shown, "the mCE of both: (30 + 40) / 2"
    for text in ("75.00", "4.25", "no luck", "50 validation images", "10 copies", "PGD"):
        assert text in reader.shown
    # 8/255 and its halves, in 255ths.
    assert [t for t in ("0.5", "1", "2", "4", "8") if f"\n{t}\n" not in reader.shown] == []
    assert profiles.parts([("bare", Profile("test", 1, 2.0))]) == ""


def test_a_network_keeps_its_color_beside_one_without_a_profile() -> None:
    drawn = profiles.parts([("second", whole(80.0))], [1])
    assert 'class="hue1"' in drawn
    assert 'class="hue0"' not in drawn


def score(metric: str, value: float | None, reason: str | None = None) -> Score:
    return Score(metric, value, None, "%", 0.0, "what it is", reason)


def test_the_page_of_a_comparison_shows_all_and_escapes_all() -> None:
    first = Assessment(
        (score("accuracy", 90.0), score(EVIL, 1234)), whole(90.0), 90.0, (Near(EVIL, 80.0), Near("b", None))
    )  # fmt: skip
    second = Assessment((score("accuracy", None, EVIL),), None, None, (), EVIL)
    reader = Reader(comparison(EVIL, EVIL, [(EVIL, first), ("7", second)], {EVIL: EVIL}))
    assert "script" not in reader.tags
    assert "2 networks" in reader.shown
    for text in ("90.00", "1,234", "failed", "1 (1 failed)", f"accuracy has no value: {EVIL}"):
        assert text in reader.shown
