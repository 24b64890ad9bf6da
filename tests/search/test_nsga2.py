"""NSGA-II: layers and crowding by other means, and more of the front than by chance."""

from __future__ import annotations

from pathlib import Path

import moocore
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import nasdsl
from nasdsl.search.nsga2 import Nsga2, crowding, layers, ranked
from nasdsl.search.random_search import RandomSearch
from nasdsl.search.searcher import Outcome, Searcher
from nasdsl.search.variation import Variation
from nasdsl.space import Architecture
from nasdsl.study.pareto import hypervolume

PATH = Path(__file__).resolve().parents[2] / "examples" / "studies" / "neighborhood_search.nas"
TEXT = PATH.read_text(encoding="utf-8").replace(
    "maximize accuracy", "maximize accuracy, minimize params"
)
values = arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(0, 5))


@given(values)
def test_layers_are_fronts_peeled_off(rows: np.ndarray) -> None:
    left = list(range(len(rows)))
    for layer in layers(rows):
        kept = moocore.is_nondominated(-rows[left], keep_weakly=True)
        assert layer == [i for i, keep in zip(left, kept, strict=True) if keep]
        left = [i for i in left if i not in layer]
    assert left == []


@settings(max_examples=50)
@given(values)
def test_the_order_is_by_layer_then_by_crowding(rows: np.ndarray) -> None:
    order = ranked(rows)
    assert sorted(order) == list(range(len(rows)))
    depth = {i: k for k, layer in enumerate(layers(rows)) for i in layer}
    assert [depth[i] for i in order] == sorted(depth.values())


def test_crowding_is_the_sum_of_gaps_as_parts_of_the_extent() -> None:
    rows = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]])
    # Inner rows: (3 - 0) / 4 in either objective.
    assert crowding(rows).tolist() == [np.inf, 1.5, 1.5, np.inf]


def test_it_finds_more_of_the_front_than_uniform_draws_do() -> None:
    space = nasdsl.load(TEXT)
    variation = Variation(space)
    gains = {"nor_conv_3x3": (9.0, 8.0), "nor_conv_1x1": (6.0, 1.0), "skip_connect": (2.0, 0.0)}

    def value(architecture: Architecture) -> tuple[float, float]:
        pairs = [gains.get(str(v), (0.0, 0.0)) for v in architecture.decisions.values()]
        good = sum((1 + k / 10) * g for k, (g, _) in enumerate(pairs))
        return good, sum(cost for _, cost in pairs)

    def volume(searcher: Searcher) -> float:
        found: dict[int, tuple[float, float]] = {}
        while len(found) < 100:
            for candidate in searcher.ask(searcher.batch or 1):
                good, cost = found[candidate.architecture.rank] = value(candidate.architecture)
                searcher.tell(candidate, Outcome("complete", {"accuracy": good, "params": cost}))
        return hypervolume(list(found.values())[:100], (True, False), (0.0, 48.0))

    def same(architecture: Architecture) -> int:
        return architecture.rank

    for seed in range(3):
        searcher = Nsga2(space, seed, identity=same, variation=variation)
        assert volume(searcher) > volume(RandomSearch(space, seed))
