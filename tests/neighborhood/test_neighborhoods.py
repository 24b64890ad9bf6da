"""Neighborhoods of random spaces against the reference, and what all of them have to keep.

A longer run: ``NASDSL_PROGRAMS=10000 pytest tests/neighborhood/test_neighborhoods.py``.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

import nasdsl
from nasdsl.api import analyze
from nasdsl.diagnostics import Source
from nasdsl.space import Space, late
from tests.neighborhood.completion import Completion, changes
from tests.space.programs import examples, programs
from tests.space.reference.built import Built, TooMany
from tests.space.reference.interpreter import Reference

PROGRAMS = examples(100)
HEAD = """
input image[1, 6, 6]
output logits[3]
"""


def worked_out(text: str) -> tuple[Space, list[Built], Completion] | None:
    """A random program that fits, with its architectures by the reference."""
    try:
        built = list(Reference(text).architectures(300))
    except TooMany:
        return None
    space = analyze(Source("<text>", text)).space
    return None if space is None else (space, built, Completion(text))


def hold(text: str, seed: int) -> None:
    found = worked_out(text)
    if found is None:
        return
    space, built, reference = found
    for one in random.Random(seed).sample(built, min(2, len(built))):
        center = space.architecture(one.decisions)
        near = space.neighbors(center)
        mine = [frozenset((n.decisions or {}).items()) for n in near]
        assert len(set(mine)) == len(mine)
        assert set(mine) == changes(reference, one)


@PROGRAMS
@given(programs(), st.integers(0, 2**32))
def test_any_change_of_one_choice(text: str, seed: int) -> None:
    """Without a neighborhood: filled in by the rule for copies, and first legal values."""
    hold(text, seed)


@settings(PROGRAMS, max_examples=PROGRAMS.max_examples // 2)
@given(programs(), st.integers(0, 2**32))
def test_any_change_of_one_choice_decided_late(text: str, seed: int) -> None:
    before, late.EAGER = late.EAGER, 0
    try:
        hold(text, seed)
    finally:
        late.EAGER = before


@PROGRAMS
@given(programs(), st.integers(0, 2**32), st.data())
def test_what_every_neighborhood_keeps(text: str, seed: int, data: st.DataObject) -> None:
    """Feasible, distinct, without the center; counts within what ``info`` tells."""
    found = worked_out(text)
    if found is None or found[0].size > 60:
        return
    names = [f"T{i}" for i in range(3) if f"choice T{i}" in text]
    values = [n for n in ("x0", "x1", "g0", "g1") if f"{n} in" in text]
    rules = [f"any {n}" for n in names] + [f"step {n}" for n in values] + ["any inputs", "a <-> b"]
    rules = [r for r in rules if r != "a <-> b" or "| b =" in text]
    chosen = data.draw(st.lists(st.sampled_from(rules), min_size=1, max_size=2, unique=True))
    edits = "\n".join(f"edit e{i}: {rule}" for i, rule in enumerate(chosen))
    limit = sorted(b.params for b in found[1])[len(found[1]) // 2]
    written = f"{text}require params <= {limit}\nneighborhood {{ {edits} }}\n"
    analysis = analyze(Source("<text>", written))
    if analysis.space is None:
        # A label may be ambiguous, or a value be no choice in this program.
        assert all(d.code.startswith("NAS34") for d in analysis.errors)
        return
    space = analysis.space
    counts = []
    for center in space:
        near = space.neighbors(center)
        ranks = [n.rank for n in near]
        assert center.rank not in ranks
        assert len(set(ranks)) == len(ranks)
        assert all(n.architecture is not None and space.allows(n.architecture) for n in near)
        if space.allows(center):
            counts.append(len(near))
        ball = {center.rank} | {
            r for n in near for r in [n.rank, *(m.rank for m in space.neighbors(n.architecture))]
        }
        assert {n.rank for n in space.neighbors(center, 2)} == ball - {center.rank}
    told = space.info()["neighbors"]
    if told.get("exact", True):
        assert (told["min"], told["max"]) == (min(counts), max(counts))
    else:
        assert told["min"] <= min(counts)
        assert max(counts) <= told["max"]


# ---- places


PLACES = """
choice Op(c) = | skip = relu | one = conv(c, 1) | wide = conv(c, 3)
block A = conv(4, k)
  where k in {1, 3, 5}
block B = conv(4, k) >> Op(4)
  where k in {1, 3, 5}
cell C {
  let P = some of 0..1
  input  n[0]
  node   n[j in 1..2] = Op(4)(n[j-1])
  node   e = sum(n[i] for i in P) + n[2]
  output e
}
cell D {
  let P = some of 0..1
  input  n[0], n[1]
  node   n[2] = sum(Op(4)(n[i]) for i in pick 1 of 0..1)
  node   e = sum(n[i] for i in P) + n[2]
  output e
}
network {
  input image
  node   a = (A >> B >> C >> B)(image)
  node   d = D(a, relu(a))
  output (global_avgpool >> linear(3))(d)
}
"""


@pytest.mark.parametrize(
    ("rule", "decisions"),
    [
        ("step A.k", {"a.A.k"}),
        ("step B.k", {"a.B@1.k", "a.B@2.k"}),
        ("step k", {"a.A.k", "a.B@1.k", "a.B@2.k"}),
        ("step k at B", {"a.B@1.k", "a.B@2.k"}),
        ("any Op of C", {"C.n[1].Op", "C.n[2].Op"}),
        ("any Op at C.n", {"C.n[1].Op", "C.n[2].Op"}),
        ("any Op at C, B", {"C.n[1].Op", "C.n[2].Op", "a.B@1.Op", "a.B@2.Op"}),
        ("any Op of D", {"D.n[2].0"}),
        ("any inputs of D", {"D.n[2].inputs"}),
        ("any inputs of C", set()),
        ("any inputs", {"D.n[2].inputs"}),
        ("flip P of C", {"C.P"}),
        ("flip P", {"C.P", "D.P"}),
        ("skip -> one at D", {"D.n[2].0"}),
        ("Op.skip -> Op.wide at a", {"a.B@1.Op", "a.B@2.Op"}),
    ],
)
def test_where_a_rule_applies(rule: str, decisions: set[str]) -> None:
    space = nasdsl.load(f"{HEAD}{PLACES}neighborhood {{ edit e: {rule} }}\n")
    found = space.neighbors(space[0])
    assert {n.changed[0]["decision"] for n in found} == decisions


def test_a_place_that_does_not_use_a_choice_of_the_space() -> None:
    text = (
        f"{HEAD}let w in 1..2\nlet v in 1..2\nblock A = conv(w, 1)\n"
        "network = A >> conv(v, 1) >> global_avgpool >> linear(3)\n"
    )
    used = nasdsl.load(f"{text}neighborhood {{ edit e: step w of A }}\n".replace(" of A", ""))
    assert len(used.neighbors(used[0])) == 1
    assert len(nasdsl.load(f"{text}neighborhood {{ edit e: step A.w }}\n").neighbors(used[0])) == 1
    (wrong,) = nasdsl.check(f"{text}neighborhood {{ edit e: step A.v }}\n")
    assert "'A' does not use 'v'" in wrong.message


# ---- filling in


def near(text: str, center: dict[str, object]) -> list[dict[str, object]]:
    space = nasdsl.load(HEAD + text)
    return [dict(n.decisions or {}) for n in space.neighbors(space.architecture(center))]


def test_a_new_copy_repeats_the_last_copy_of_its_own_chain() -> None:
    text = """
block Layer = conv(2, k)
  where k in {1, 3, 5}
block Stage = Layer * d
  where d in 1..3
network = Stage * 2 >> global_avgpool >> linear(3)
neighborhood { edit deepen: step d by 1 }
"""
    center = {
        "Stage[0].d": 3,
        "Stage[0].Layer[0].k": 1,
        "Stage[0].Layer[1].k": 1,
        "Stage[0].Layer[2].k": 3,
        "Stage[1].d": 2,
        "Stage[1].Layer[0].k": 1,
        "Stage[1].Layer[1].k": 5,
    }
    (only,) = near(text, center)
    assert only == {**center, "Stage[1].d": 3, "Stage[1].Layer[2].k": 5}


def test_several_new_copies_all_repeat_the_last() -> None:
    text = """
choice Q = | a = relu | b = conv(1, 3)
network = Q * n >> global_avgpool >> linear(3)
  where n in {1, 4}
neighborhood { edit deepen: step n }
"""
    (only,) = near(text, {"n": 1, "Q[0]": "b"})
    assert only == {"n": 4, "Q[0]": "b", "Q[1]": "b", "Q[2]": "b", "Q[3]": "b"}


def test_what_comes_alive_in_a_copy_that_was_there_takes_its_first_value() -> None:
    text = """
choice Q = | a = relu | b = K
block K = conv(1, k)
  where k in {1, 3}
network = Q * 2 >> global_avgpool >> linear(3)
neighborhood { edit e: a -> b }
"""
    (only,) = near(text, {"Q[0]": "b", "Q[0].b.K.k": 3, "Q[1]": "a"})
    assert only == {"Q[0]": "b", "Q[0].b.K.k": 3, "Q[1]": "b", "Q[1].b.K.k": 1}


def test_a_node_that_comes_alive_is_no_copy() -> None:
    text = """
choice Q = | a = relu | b = bn
cell C(m) {
  input  x[0]
  node   x[i in 1..m] = Q(x[i-1])
  output x[m]
}
network = C(n) >> global_avgpool >> linear(3)
  where n in 1..2
neighborhood { edit e: step n }
"""
    (only,) = near(text, {"n": 1, "C.x[1].Q": "b"})
    assert only == {"n": 2, "C.x[1].Q": "b", "C.x[2].Q": "a"}


def test_the_first_value_is_one_that_every_use_of_the_cell_allows() -> None:
    text = """
choice D(s) = | a = identity when s == 1 | b = conv(4, 3, stride=s) | c = maxpool(3, stride=s)
choice Z(s) = | p = maxpool(1, stride=s) | q = D(s)
cell C(s) {
  input  n
  node   e = Z(s)(n)
  output e
}
network = conv(4, 1) >> C(1) >> C(2) >> global_avgpool >> linear(3)
neighborhood { edit e: p -> q }
"""
    (only,) = near(text, {"C.e.Z": "p"})
    assert only == {"C.e.Z": "q", "C.e.Z.q.D": "b"}


def test_an_exchanged_input_keeps_its_operation() -> None:
    text = """
choice Op = | skip = identity | small = conv(1, 1) | large = conv(1, 3)
cell C {
  input  n[0], n[1], n[2]
  node   e = sum(Op(n[i]) for i in pick 2 of 0..2)
  output e
}
network {
  input image
  output (global_avgpool >> linear(3))(C(image, relu(image), bn(image)))
}
neighborhood { edit rewire: any inputs of C }
"""
    found = near(text, {"C.e.inputs": (0, 1), "C.e.0": "small", "C.e.1": "large"})
    assert found == [
        {"C.e.inputs": (1, 2), "C.e.0": "large", "C.e.1": "small"},
        {"C.e.inputs": (0, 2), "C.e.0": "small", "C.e.1": "large"},
    ]


def test_inserting_changes_only_what_counts_the_copies() -> None:
    text = """
choice Op = | skip = identity | small = conv(1, 1) | large = conv(1, 3)
block Stage(n) = Op * (n - 1)
network = conv(1, k) >> Stage(depth) >> global_avgpool >> linear(3)
  where depth in 1..4
        k in 1..3
neighborhood { edit grow: insert Op  edit drop: remove Op }
"""
    center = {"depth": 3, "k": 2, "Stage.Op[0]": "small", "Stage.Op[1]": "large"}
    found = near(text, center)
    assert {d["k"] for d in found} == {2}
    chains = [tuple(v for n, v in d.items() if n.startswith("Stage")) for d in found]
    assert chains == [
        ("small", "small", "large"),
        ("small", "large", "large"),
        ("large",),
        ("small",),
    ]


def test_nothing_counts_a_fixed_number_of_copies() -> None:
    text = (
        f"{HEAD}choice Op = | a = relu | b = bn\nnetwork = Op * 2 >> global_avgpool >> linear(3)\n"
    )
    (wrong,) = nasdsl.check(f"{text}neighborhood {{ edit e: insert Op }}\n")
    assert "is not chosen" in wrong.message


# ---- symmetry and samples


@pytest.mark.parametrize(
    "edits",
    [
        "edit a: any Op",
        "edit a: step k",
        "edit a: flip P",
        "edit a: any inputs",
        "edit a: skip <-> wide",
        "",
    ],
)
def test_symmetric_rules(edits: str) -> None:
    """On decisions that keep no others alive, each rule leads back as well as there."""
    block = f"neighborhood {{ {edits} }}\n" if edits else ""
    text = f"{HEAD}{PLACES}{block}".replace("pick 1 of 0..1", "pick 2 of {0, 1, 1}")
    space = nasdsl.load(text)
    draw = random.Random(2)
    for _ in range(12):
        center = space[draw.randrange(space.size)]
        for neighbor in space.neighbors(center):
            assert neighbor.architecture is not None
            back = {n.rank for n in space.neighbors(neighbor.architecture)}
            assert center.rank in back


def test_weights_are_the_odds_of_the_first_draw() -> None:
    text = f"""{HEAD}
choice Op = | a = relu | b = bn | c = conv(1, 1)
network = conv(1, k) >> Op >> global_avgpool >> linear(3)
  where k in 1..5
neighborhood {{
  edit op:   any Op weight 5
  edit size: step k weight 2
  edit none: b -> a weight 0
}}
"""
    space = nasdsl.load(text)
    center = space.architecture({"k": 3, "Op": "a"})
    drawn = Counter(
        tuple((space.sample_neighbors(center, 1, seed)[0].decisions or {}).values())
        for seed in range(3_000)
    )
    weights = {(3, "b"): 5, (3, "c"): 5, (2, "a"): 2, (4, "a"): 2}
    assert set(drawn) == set(weights)
    expected = [3_000 * w / 14 for w in weights.values()]
    assert chisquare([drawn[k] for k in weights], expected).pvalue > 1e-3


def test_a_weight_of_nothing_is_drawn_last() -> None:
    text = f"""{HEAD}
choice Op = | a = relu | b = bn | c = conv(1, 1)
network = Op >> global_avgpool >> linear(3)
neighborhood {{ edit one: a -> b  edit never: a -> c weight 0 }}
"""
    space = nasdsl.load(text)
    for seed in range(50):
        (only,) = space.sample_neighbors(space[0], 1, seed)
        assert only.edit == "one"
    assert len(space.sample_neighbors(space[0], 2, 0)) == 2
