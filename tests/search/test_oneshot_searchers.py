"""Searchers that stand on supernets: proposals from weights, and FlatNAS on figures of merit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nasdsl
from nasdsl.compiler.supernet import MixedSupernet, compile_supernet
from nasdsl.language.settings import Entry
from nasdsl.search import Outcome, Searcher, read_search
from nasdsl.search.archive import Record
from nasdsl.search.contract import SearcherContract
from nasdsl.search.elastic import OPTIONS, demand
from nasdsl.search.flatnas import FlatNas, _spread, figures_of_merit
from nasdsl.search.learned import FromWeights, largest
from nasdsl.search.searcher import Candidate
from nasdsl.seeding import generator
from nasdsl.space import Space
from nasdsl.training.oneshot.settings import DartsSettings, ElasticSettings
from tests.compiler.spaces import space as named

CHAIN = """
input image[1, 8, 8]
output logits[10]
choice Op = | skip = identity | pool = avgpool(3, stride=1) | conv = conv(4, 3)
network = conv(4, 3) >> Op * 5 >> global_avgpool >> linear(10)
"""
ELASTIC = """
input image[1, 8, 8]
output logits[10]
network = inverted_residual(4, kernel=k, expand=e) >> Layer * depth >> global_avgpool >> linear(10)
  where k in {3, 5}
        e in {2, 3, 4}
        depth in {1, 2, 3}
block Layer = inverted_residual(4, kernel=k, expand=e) where k in {3, 5}
                                                             e in {2, 3, 4}
neighborhood { edit size: step e }
objective { maximize accuracy, minimize flatness.weights, minimize params }
"""
RECURSIVE = """
input image[1, 8, 8]
output logits[10]
choice Part(c) recursion 4 =
  | leaf = conv(c, 3)
  | both = Part(c) >> Part(c)
  | side = identity + Part(c)
network = conv(4, 3) >> Part(4) >> Part(4) >> global_avgpool >> linear(10)
"""


def uneven(space: Space) -> dict[str, list[float]]:
    """Weights of a supernet as training might have left them."""
    found = compile_supernet(space, "mixed", relaxation=None)
    assert isinstance(found, MixedSupernet)
    weights = {}
    for name, alternatives in found.meta["decisions"].items():
        draw = generator("uneven", name)
        raw = [0.1 + draw.random() for _ in alternatives]
        weights[name] = [w / sum(raw) for w in raw]
    return weights


class TestFromWeights(SearcherContract):
    def space(self) -> Space:
        return nasdsl.load(CHAIN)

    def make(self, space: Space, seed: int) -> Searcher:
        return FromWeights(space, seed, uneven(space))


class TestFromWeightsRecursive(SearcherContract):
    """Decisions that come alive and die."""

    def space(self) -> Space:
        return nasdsl.load(RECURSIVE)

    def make(self, space: Space, seed: int) -> Searcher:
        return FromWeights(space, seed, uneven(space))


class TestFromWeightsOnABenchmark(SearcherContract):
    def space(self) -> Space:
        return nasdsl.load("spaces/nasbench201.nas", {"N": "1", "C": "4"})

    def make(self, space: Space, seed: int) -> Searcher:
        return FromWeights(space, seed, uneven(space))


@pytest.mark.parametrize("name", ["choices", "cell", "picks"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99))
def test_the_largest_is_that_of_the_supernet(name: str, seed: int) -> None:
    """What the search derives without torch is what the supernet says of the same weights."""
    nets = named(name)
    supernet = compile_supernet(nets, "mixed", relaxation=None)
    assert isinstance(supernet, MixedSupernet)
    draw = torch.Generator().manual_seed(seed)
    weights = {
        n: torch.softmax(torch.randn(len(a), generator=draw), 0)
        for n, a in supernet.meta["decisions"].items()
    }
    plain = {n: w.tolist() for n, w in weights.items()}
    assert largest(nets, plain) == supernet.best(weights)


def test_the_first_proposal_is_the_largest_and_others_follow_the_weights() -> None:
    space = nasdsl.load(CHAIN)
    weights = {f"Op[{i}]": [0.2, 0.1, 0.7] for i in range(5)}
    assert set(weights) == set(uneven(space))
    asked = FromWeights(space, 0, weights).ask(1201)
    assert all(v == "conv" for v in asked[0].architecture.decisions.values())
    for name in weights:
        counts = Counter(c.architecture.decisions[name] for c in asked[1:])
        for value, share in zip(("skip", "pool", "conv"), weights[name], strict=True):
            # 1,200 draws: five standard deviations of a share are below 0.07.
            assert counts[value] / 1200 == pytest.approx(share, abs=0.07)


def test_what_a_require_forbids_is_not_proposed() -> None:
    space = nasdsl.load(CHAIN + "require params <= 400\n")
    weights = {f"Op[{i}]": [0.2, 0.1, 0.7] for i in range(5)}
    asked = FromWeights(space, 0, weights).ask(10)
    assert len(asked) == 10
    assert all(c.architecture.params <= 400 for c in asked)
    assert asked[0].index > 0
    sure = {name: [0.0, 0.0, 1.0] for name in weights}
    assert FromWeights(space, 0, sure).ask(1) == []


class TestFlatNas(SearcherContract):
    def space(self) -> Space:
        return nasdsl.load(ELASTIC + "require params <= 2500\n")

    def make(self, space: Space, seed: int) -> Searcher:
        return FlatNas(space, seed, initial=4, batch=2, population=6, generations=2)

    def outcome(self, candidate: Candidate) -> Outcome:
        found = super().outcome(candidate)
        if found.state == "failed":
            return found
        change = generator("change", candidate.architecture.fingerprint).random()
        return Outcome("complete", {**found.objectives, "flatness.weights": change})


class TestFlatNasRecursive(SearcherContract):
    """By accuracy alone, on decisions that come alive and die."""

    def space(self) -> Space:
        return nasdsl.load(RECURSIVE)

    def make(self, space: Space, seed: int) -> Searcher:
        return FlatNas(space, seed, 1.0, initial=4, batch=2, population=6, generations=2)


class TestFlatNasOnABenchmark(SearcherContract):
    def space(self) -> Space:
        return nasdsl.load("spaces/nasbench201.nas", {"N": "1", "C": "4"})

    def make(self, space: Space, seed: int) -> Searcher:
        return FlatNas(space, seed, 1.0, initial=4, batch=2, population=6, generations=2)


@given(
    rows=st.lists(st.tuples(st.floats(1, 99), st.floats(0.1, 30)), min_size=2, max_size=9),
    alpha=st.floats(0, 1),
)
def test_the_figure_of_merit_is_balanced_over_the_archive(
    rows: list[tuple[float, float]], alpha: float
) -> None:
    """n makes both parts equally large on average, so the mean figure is the mean error."""
    errors, changes = np.array(rows).T
    found = figures_of_merit(errors, changes, alpha)
    assert found.mean() == pytest.approx(errors.mean())
    n = sum(e for e, _ in rows) / sum(c for _, c in rows)
    by_hand = [alpha * e + (1 - alpha) * n * c for e, c in rows]
    assert found.tolist() == pytest.approx(by_hand)
    # The unit of the flatness does not matter.
    assert figures_of_merit(errors, 7 * changes, alpha).tolist() == pytest.approx(found.tolist())


@pytest.mark.parametrize("model", ["forest", "mlp", "rbf", "auto"])
def test_every_model_proposes_what_is_new(model: str) -> None:
    (option,) = (o for o in OPTIONS if o.name == "model")
    assert model in option.values
    space = nasdsl.load(ELASTIC)
    search = FlatNas(space, 0, initial=6, batch=3, model=model, population=6, generations=2)
    ranks = []
    for step in range(4):
        for at, candidate in enumerate(search.ask(3)):
            ranks.append(candidate.architecture.rank)
            values = {"accuracy": 50.0 + step + at, "flatness.weights": 1.0 + at, "params": 1.0}
            search.tell(candidate, Outcome("complete", values))
    assert len(set(ranks)) == 12


def test_nothing_that_moves_weighs_nothing() -> None:
    found = figures_of_merit(np.array([10.0, 20.0]), np.zeros(2), 0.5)
    assert found.tolist() == [5.0, 10.0]


def told(search: FlatNas, values: Mapping[int, Mapping[str, float]]) -> None:
    for candidate in search.ask(len(values)):
        search.tell(candidate, Outcome("complete", values[candidate.index]))


@pytest.mark.parametrize(("alpha", "expected"), [(1.0, 0), (0.0, 2), (0.5, 1)])
def test_the_best_by_weight(alpha: float, expected: int) -> None:
    """Errors 20, 25, 45; changes 6, 2, 1: n = 10, so at 0.5: 40, 22.5, 27.5."""
    search = FlatNas(nasdsl.load(ELASTIC), 0, alpha, initial=3, batch=3)
    rows = [(80.0, 6.0), (75.0, 2.0), (55.0, 1.0)]
    keys = ("accuracy", "flatness.weights", "params")
    told(search, {i: dict(zip(keys, (*row, 100.0), strict=True)) for i, row in enumerate(rows)})
    records: list[Record] = search._records
    assert search.best() == records[expected].architecture
    merits = dict(search.merits(records))
    assert [merits[i] for i in range(3)] == pytest.approx(
        [alpha * (100 - a) + (1 - alpha) * 10 * c for a, c in rows]
    )


def test_the_front_is_filled_where_it_is_emptiest() -> None:
    architectures = list(nasdsl.load(ELASTIC).samples(5, 0))
    held = np.array([[0.0, 1.0], [1.0, 0.0]])
    values = np.array([[0.05, 0.96], [0.5, 0.52], [0.95, 0.07], [0.3, 0.75], [0.2, 0.1]])
    order = [architectures.index(a) for a in _spread(architectures, values, held)]
    # The middle of the gap first, the dominated one last.
    assert order[0] == 1
    assert order[1] == 3
    assert order[-1] == 4
    single = _spread(architectures, values[:, :1], held[:, :1])
    assert [architectures.index(a) for a in single] == [2, 1, 3, 4, 0]


def dominated(points: Sequence[tuple[float, float]], worst: tuple[float, float]) -> float:
    """The area that points dominate up to the worst corner, both to be minimized."""
    area, lowest = 0.0, worst[1]
    for x, y in sorted(points):
        if y < lowest:
            area += (worst[0] - x) * (lowest - y)
            lowest = y
    return area


def test_flatnas_finds_a_better_front_than_chance() -> None:
    """A smooth made-up landscape; the area of the front of 32 against that of 32 random draws."""
    space = nasdsl.load(ELASTIC)

    def measured(candidate: Candidate) -> Outcome:
        decisions = candidate.architecture.decisions.items()
        sizes = [v for n, v in decisions if n.endswith("e")]
        kernels = [v for n, v in decisions if n.endswith("k")]
        values = {
            "accuracy": 40 + 3 * sum(sizes) + sum(kernels),
            "flatness.weights": 1 + abs(sum(sizes) - 5),
            "params": float(candidate.architecture.params),
        }
        return Outcome("complete", values)

    gains = []
    for seed in range(4):
        search = FlatNas(space, seed, 0.5, initial=8, batch=4, population=16, generations=4)
        found = []
        for _ in range(8):
            for candidate in search.ask(4):
                found.append(measured(candidate))
                search.tell(candidate, found[-1])
        drawn = [measured(Candidate(i, space.sample(f"{seed} {i}"))) for i in range(32)]
        rows = [outcome.objectives for outcome in (*found, *drawn)]
        both = np.array([[100 - r["accuracy"], r["flatness.weights"]] for r in rows])
        figures = figures_of_merit(both[:, 0], both[:, 1], 0.5).tolist()
        points = [(f, r["params"]) for f, r in zip(figures, rows, strict=True)]
        worst = (max(x for x, _ in points), max(y for _, y in points))
        gains.append(dominated(points[:32], worst) / dominated(points[32:], worst))
    assert min(gains) > 1.0


# Settings


def test_settings_of_supernets_are_read() -> None:
    entry = Entry(
        "na_darts", (), (("epochs", 3), ("order", "second"), ("neighbors", 4), ("seed", 7))
    )
    found, problems = read_search(entry)
    assert not problems and found is not None
    assert found.training == DartsSettings(epochs=3, order="second", neighbors=4)
    assert (found.samples, found.seed) == (1, 7)
    plain, _ = read_search(Entry("darts"))
    assert plain is not None and plain.training == DartsSettings()
    entry = Entry("flatnas", (), (("images", 32), ("rho", 0.0), ("alpha", 0.9), ("samples", 9)))
    flat, problems = read_search(entry)
    assert not problems and flat is not None
    assert flat.training == ElasticSettings(batch=32)
    assert flat.samples == 9
    other, _ = read_search(Entry("random"))
    assert other is not None and other.training is None


def test_objectives_that_flatnas_needs() -> None:
    assert demand({"alpha": 0.5}, ["accuracy", "flatness.weights", "params"]) is None
    assert demand({"alpha": 1.0}, []) is None
    assert "flatness.weights" in str(demand({"alpha": 0.5}, []))
    assert demand({"alpha": 0.5}, ["accuracy"]) is not None
    assert demand({"alpha": 1.0}, ["params"]) is not None
