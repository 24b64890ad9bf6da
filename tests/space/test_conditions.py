"""Conditions: counted, drawn and refused as running through all architectures says."""

from __future__ import annotations

import math
import operator as op
import random
import re
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from scipy.stats import chisquare

import nasdsl
from nasdsl.api import analyze
from nasdsl.diagnostics import DiagnosticError, Source
from nasdsl.graph.live import live
from nasdsl.language import syntax as s
from nasdsl.space import bounds, feasible, sampling
from nasdsl.space.budget import Budget
from nasdsl.space.quantities import Window, written
from nasdsl.space.space import Space
from tests.space.programs import examples, programs
from tests.space.test_sampling import CONDITIONAL

LAYERS = """
input image[1, 8, 8]
output logits[2]
choice Op = | a = conv(4, 3) | b = relu | z = identity
choice End = | a = relu | b = identity
network = conv(4, 3) >> Op * 9 >> conv(w, 3) >> End >> global_avgpool >> linear(2) where w in {4, 8}
"""
SHORT = LAYERS.replace("* 9", "* 4")
CELLS = """
input image[2, 4, 4]
output logits[2]
choice Op(c) = | one = conv(c, 1) | three = conv(c, 3) | skip = identity
cell First(c) {
  input  n[0]
  node   n[j in 1..2] = n[j-1] + sum(Op(c)(n[i]) for i in some of 0..j-1)
  output n[2] + n[1]
}
cell Second(c) {
  input  n[0]
  node   n[j in 1..2] = sum(Op(c)(n[i]) for i in pick 1 of 0..j-1)
  output n[2] + n[1]
}
network = First(2) >> conv(3, 1) >> First(3) >> Second(3) >> global_avgpool >> linear(2)
"""
PLAIN = CELLS.replace("First(2) >> conv(3, 1) >> First(3)", "Second(2) >> conv(3, 1)")


def loaded(text: str) -> Space:
    return nasdsl.load(text + "\n")


# ---- reading


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("params <= 3", [("params", None, 3)]),
        ("3.5 > params", [("params", None, 3)]),
        ("params > 3", [("params", 4, None)]),
        ("(macs in 1k..2k)", [("macs", 1000, 2000)]),
        ("1 <= nodes < 9", [("nodes", 1, None), ("nodes", None, 8)]),
        ("nodes == 4 and count(Op.a) >= 1", [("nodes", 4, 4), ("count(Op.a)", 1, None)]),
        ("2 * count(a) - count(b) + 1 <= 4", [("2 * count(a) - count(b)", None, 3)]),
        ("count(a) <= count(b)", [("count(a) - count(b)", None, 0)]),
        ("-count(a) >= -3", [("count(a)", None, 3)]),
        ("limit + 2 >= params", [("params", None, 52)]),
        ("declared_params + declared_macs <= 7", [("declared_macs + declared_params", None, 7)]),
        ("count(a) == 1.5", [("count(a)", 2, 1)]),
        ("0 * count(a) <= 3", None),
        ("params / 2 <= 3", None),
        ("0.5 * params <= 3", None),
        ("params in {3, 4}", None),
        ("params <= 3 or macs <= 4", None),
        ("not (params <= 3)", None),
        ("nodes != 3", None),
        ("w <= 4", None),
        ("depth <= 4", None),
    ],
)
def test_conditions_are_read_as_windows_on_sums(
    condition: str, expected: list[tuple[str, int | None, int | None]] | None
) -> None:
    (found,) = loaded(f"{LAYERS}let limit = 50\nrequire {condition}").windows
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert [(written(w.terms), w.low, w.high) for w in found] == expected


def test_a_value_that_was_chosen_hides_a_quantity() -> None:
    text = CONDITIONAL.replace("where g in", "where nodes in {1, 2}\n        g in")
    space = loaded(text + "require nodes <= 1")
    assert space.windows == (None,)
    assert all(a.decisions["nodes"] == 1 for a in space.samples(20))


# ---- counting and drawing

COMPARED = {"<=": op.le, ">=": op.ge, "==": op.eq, "<": op.lt, ">": op.gt}
WINDOWS = [
    (SHORT, "count(a) == 3"),
    (SHORT, "count(Op.a) <= 2 and count(End.a) >= 1"),
    (SHORT, "2 * count(a) - count(b) >= 5"),
    (SHORT, "nodes in 8..9\nrequire params >= 500"),
    (SHORT, "declared_params >= 700"),
    (CELLS, "edges(First) >= 3"),
    (CELLS, "edges(First) + edges(Second) <= 3"),
    (CELLS, "edges() == 4 and count(skip) >= 2"),
    (CELLS, "nodes >= 14"),
    (PLAIN, "nodes == 7"),
    (PLAIN, "params in 100..150"),
    (CONDITIONAL, "count(x, with) == 2"),
    (CONDITIONAL, "declared_macs >= 300"),
]


@pytest.mark.parametrize(("text", "condition"), WINDOWS)
def test_counts_and_draws_within_windows(text: str, condition: str) -> None:
    """Against every architecture, tried one by one; few draws are wasted."""
    space = loaded(f"{text}require {condition}")
    assert None not in space.windows
    met = {a.rank for a in space if space.allows(a)}
    assert 0 < len(met) < space.size
    if feasible.additive(space) is not None:
        assert space.feasible == len(met)
    drawn = Counter(a.rank for a in space.samples(800, seed=5))
    assert set(drawn) <= met
    if len(met) <= 80:
        assert chisquare([drawn[rank] for rank in sorted(met)]).pvalue > 1e-4


def test_a_window_that_is_rare_is_drawn_from_at_once() -> None:
    """All 40 layers alike are one in 3^40; a rejected draw would never find them."""
    text = LAYERS.replace("* 9", "* 40")
    for condition, ways in (
        ("count(Op.a) >= 40", 1),
        ("count(Op.b) == 39", 80),
        ("params >= 6k", 3 * 40 + 1),  # a layer has 148: at most two of them missing, by width
    ):
        space = loaded(f"{text}require {condition}")
        assert space.allows(space.sample(3))
        assert space.feasible is not None
        assert space.feasible % 2 == 0
        if "count" in condition:
            assert space.feasible == ways * 4  # two widths, two ends


def test_a_space_whose_networks_are_made_fast_is_counted_by_making_all() -> None:
    """Costs of live networks are no sums where edges may be zero; against the sizes of networks."""
    text = (Path(__file__).parents[2] / "spaces" / "nasbench201.nas").read_text(encoding="utf-8")
    space = nasdsl.load(text + "\nrequire nodes <= 36\n", {"N": "1", "C": "4"})
    assert space.size > bounds.ENUMERATED
    assert space.feasible is not None
    rng = random.Random(4)
    met = 0
    for _ in range(400):
        written, end = space[rng.randrange(space.size)].written
        met += len(live(written, (end,), "").nodes) - 1 <= 36
    assert 40 < met < 360
    assert abs(met / 400 - space.feasible / space.size) < 0.1  # four deviations


def test_conditions_on_values_of_the_whole_space_are_counted_by_value() -> None:
    """Widths that never shrink: combinations with repetition; and sums beside values."""
    widths = """
    input image[1, 8, 8]
    output logits[2]
    let w[i in 1..5] in 2..14 step 2
    choice Op(c) = | a = conv(c, 1) | b = conv(c, 3) | z = identity
    network = chain(conv(w[i], 1) >> Op(w[i]) for i in 1..5) >> global_avgpool >> linear(2)
    """
    growing = "require all(w[i] <= w[i+1] for i in 1..4)\n"
    space = loaded(widths + growing)
    assert space.feasible == math.comb(7 + 5 - 1, 5) * 3**5
    assert all(a.decisions["w[1]"] <= a.decisions["w[5]"] for a in space.samples(20))
    space = loaded(widths + "require w[1] + 2 <= w[2]\nrequire count(a) == 2\n")
    assert space.feasible == 21 * 7**3 * math.comb(5, 2) * 2**3
    table = widths.replace("w[i in 1..5]", "w[i in 1..5, j in 1..2]").replace("w[i]", "w[i, 1]")
    space = loaded(table + "require w[1, 1] < w[2, 2]\nrequire w[3, 2] == 4\n")
    assert space.feasible == 21 * 7**7 * 3**5
    warned = nasdsl.check(widths + "require w[1] > w[2] and w[2] > 12\n")
    assert [d.code for d in warned] == ["NAS513"]
    assert "'w[1] > w[2]' (the nearest w[1] against w[2] is 14 against 14)" in warned[0].message
    everything = nasdsl.check(widths + "let first = 1\nrequire w[first] <= 14\n")
    assert [d.code for d in everything] == ["NAS514"]


def test_windows_in_buckets_stay_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sums are rounded, from below as well as from above."""
    monkeypatch.setattr(sampling, "Budget", partial(Budget, buckets=7))
    space = loaded(f"{PLAIN}require params in 110..160")
    met = sorted(a.rank for a in space if space.allows(a))
    drawn = Counter(a.rank for a in space.samples(40 * len(met), seed=2))
    assert set(drawn) <= set(met)
    assert chisquare([drawn[rank] for rank in met]).pvalue > 1e-4


def test_windows_of_written_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random programs under random windows: the count, draws, or the value that is nearest."""
    seen: Counter[str] = Counter()

    @examples(100)
    @given(programs())
    def check(text: str) -> None:
        space = analyze(Source("<text>", text)).space
        if space is None or space.size > 200:
            return
        rng = random.Random(text)
        labels = sorted({v for b in space for v in b.decisions.values() if isinstance(v, str)})
        known = re.findall(r"\| (\w+) =", text)
        labels = [label for label in labels if label in known]
        sums = ["params", "macs", "nodes", "declared_params", "declared_macs", "edges()"]
        sums += [f"count({label})" for label in labels]
        what = rng.choice(sums)
        if rng.random() < 0.5:
            what = f"{what} {rng.choice('+-')} {rng.randint(1, 3)} * {rng.choice(sums)}"
        values = {a.rank: space.constraints.measured(_expr(text, what), a) for a in space}
        operator = rng.choice(sorted(COMPARED))
        limit = rng.choice(sorted(values.values())) + rng.choice([-1, 0, 0, 1])
        space = analyze(Source("<text>", f"{text}require {what} {operator} {limit}\n")).space
        assert space is not None
        met = {rank for rank, value in values.items() if COMPARED[operator](value, limit)}
        assert space.feasible == len(met)
        if met:
            assert all(a.rank in met for a in space.samples(5, seed=1))
            seen["met"] += 1
            seen["sums"] += feasible.additive(space) is not None
            return
        with pytest.raises(DiagnosticError) as error:
            space.sample()
        (diagnostic,) = error.value.diagnostics
        assert diagnostic.code == "NAS320"
        nearest = min(values.values(), key=lambda v: abs(v - limit))
        ends = {f"{v:,}" for v in values.values() if abs(v - limit) == abs(nearest - limit)}
        # A sum of negative terms alone is told with its signs turned.
        ends |= {end.lstrip("-") for end in ends}
        assert any(f" {end})" in diagnostic.message for end in ends), diagnostic.message
        seen["empty"] += 1

    check()
    assert min(seen["met"], seen["empty"], seen["sums"]) > 5, seen


def _expr(text: str, what: str) -> s.Expr:
    found = analyze(Source("<text>", f"{text}require {what} >= 0\n")).space
    assert found is not None
    condition = found.program.requires[0].condition
    assert isinstance(condition, s.Compare)
    return condition.operands[0]


# ---- where nothing is feasible

EMPTY = [
    ("nodes < 3", "none meets 'nodes <= 2' (nodes is at least 4)"),
    ("params >= 1M", "none meets 'params >= 1,000,000' (params is at most 1,686)"),
    ("depth < 3", "none meets 'depth < 3' (depth is at least 4)"),
    ("w in 5..7", "none meets 'w in 5..7' (the nearest w is"),
    ("params in 5k..2k", "params cannot be at least 5,000 and at most 2,000"),
    ("params >= 1.2k\nrequire params <= 1k", "params cannot be at least 1,200 and at most 1,000"),
    (
        "count(Op.a) <= 1\nrequire count(Op.b, Op.z) <= 1",
        "none that meets the rest meets 'count(Op.a) <= 1' (count(Op.a) is at least 8)",
    ),
    ("not (w in {4, 8})", "none meets 'not (w in {4, 8})'"),
    ("depth <= 5 and params >= 700", "none that meets the rest meets 'depth <= 5' (depth is at"),
]


@pytest.mark.parametrize(("condition", "told"), EMPTY)
def test_the_tightest_value_that_can_be_reached_is_named(condition: str, told: str) -> None:
    layers = 3 if "depth" in condition or "w" in condition else 9
    space = loaded(f"{LAYERS.replace('* 9', f'* {layers}')}require {condition}")
    with pytest.raises(DiagnosticError) as error:
        space.sample()
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "NAS320"
    assert told in diagnostic.message
    warned = [d for d in nasdsl.check(space.text) if d.code == "NAS513"]
    assert [told in d.message for d in warned] == [True]


def test_where_a_space_is_too_large_to_run_through_the_nearest_found_is_named() -> None:
    space = loaded(f"{LAYERS.replace('* 9', '* 30')}require depth < 4")
    with pytest.raises(DiagnosticError) as error:
        space.sample()
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "NAS321"
    # The first convolution, the last one, the pooling and the classifier are always there.
    assert "none found meets 'depth < 4' (the nearest depth is 4)" in diagnostic.message


def test_what_is_rare_is_looked_for_before_it_is_given_up() -> None:
    """One in some 270 has so few layers; a draw does not depend on what was looked up before."""
    text = f"{LAYERS}require depth <= 7"
    first, second = loaded(text), loaded(text)
    assert first.feasible is None
    ranks = [first.sample(seed).rank for seed in range(4)]
    assert [second.sample(seed).rank for seed in (3, 2, 1, 0)] == ranks[::-1]


def test_bounds_of_nodes_shut_out_conditions_where_there_are_zeros(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "ENUMERATED", 0)
    text = LAYERS.replace("z = identity", "z = identity | n = zero").replace("* 9", "* 20")
    space = loaded(f"{text}require nodes >= 40")
    assert not space.additive
    with pytest.raises(DiagnosticError, match=re.escape("(nodes is at most 25)")):
        space.sample()


def test_windows_are_written_as_conditions() -> None:
    (found,) = loaded(f"{LAYERS}require 2 * count(a) - nodes in 3..9").windows
    assert found is not None
    assert str(found[0]) == "3 <= 2 * count(a) - nodes <= 9"
    assert str(Window(found[0].terms, None, 4)) == "2 * count(a) - nodes <= 4"
