"""What searchers learn from and with: features of graphs, models, scores, and the pick."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

import nasdsl
from nasdsl.search.features import Encoding, Features, kind, of_decisions, of_network
from nasdsl.search.models import (
    MODELS,
    PLAIN,
    CubicRbf,
    GaussianProcess,
    expected_improvement,
    normal_scores,
    switching,
    tau,
)
from nasdsl.search.recommend import recommended
from nasdsl.search.variation import Variation

CELLS = nasdsl.load(
    Path(__file__).resolve().parents[2] / "examples" / "studies" / "neighborhood_search.nas"
)
ranks = st.integers(0, CELLS.size - 1)


@settings(max_examples=40, deadline=None)
@given(ranks)
def test_graph_features_are_what_enumerating_all_ways_gives(rank: int) -> None:
    network = CELLS[rank].network
    kinds = {node.id: kind(node) for node in network.nodes}
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(
        (i, n.id) for n in network.nodes for i in n.inputs
    )
    (end,) = network.outputs
    starts = [n.id for n in network.nodes if not n.inputs]
    # Two edges between the same nodes are two ways, which edges tell and nodes do not.
    ways = [
        [path[0][0], *(edge[1] for edge in path)]
        for start in starts
        for path in nx.all_simple_edge_paths(graph, start, end)
    ]
    counted = [Counter(kinds[node] for node in way) for way in ways]
    found = of_network(network)
    assert found["ways"] == pytest.approx(math.log(len(ways)))
    assert found["depth"] == max(map(len, ways)) - 1
    for name in set(kinds.values()):
        assert found[f"number of {name}"] == sum(k == name for k in kinds.values())
        assert found[f"most {name}"] == max(c[name] for c in counted)
        assert found[f"least {name}"] == min(c[name] for c in counted)
    assert math.expm1(found["params"]) == pytest.approx(network.params)


def test_isomorphic_cells_look_the_same() -> None:
    found: dict[tuple[str, int], dict[str, float]] = {}
    met = 0
    for rank in range(0, CELLS.size, 41):
        architecture = CELLS[rank]
        # A fingerprint also merges what is computed twice, which leaves fewer operations.
        same = (architecture.fingerprint, len(architecture.network.nodes))
        features = of_network(architecture.network)
        met += same in found
        assert found.setdefault(same, features) == pytest.approx(features)
    assert met > 20


def test_decisions_become_named_numbers() -> None:
    found = of_decisions({"op": "conv", "k": 3, "se": True, "which": ("a", "b")})
    assert found == {
        "op is 'conv'": 1.0,
        "k": 1.0,
        "k value": 3.0,
        "se is True": 1.0,
        "which": 1.0,
        "which has 'a'": 1.0,
        "which has 'b'": 1.0,
    }


def test_the_encoding_does_not_depend_on_what_was_asked_before() -> None:
    known = [CELLS[r] for r in (5, 900, 7000, 15000)]
    fresh = Encoding(Features(), known).rows(known)
    used = Features()
    used.rows(CELLS[r] for r in range(0, CELLS.size, 500))
    assert np.array_equal(Encoding(used, known).rows(known), fresh)
    assert fresh.min(axis=0).tolist() == [0.0] * fresh.shape[1]
    assert fresh.max(axis=0).tolist() == [1.0] * fresh.shape[1]


def smooth(rows: np.ndarray) -> np.ndarray:
    """A function that every model can learn from sixty rows."""
    found: np.ndarray = rows[:, 0] + np.sin(2 * rows[:, 1]) - 0.5 * rows[:, 2] ** 2
    return found


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    rows = draw.random((100, 4))
    return rows[:60], rows[60:]


@pytest.mark.parametrize("name", list(PLAIN))
def test_every_model_learns_and_is_repeatable(
    name: str, data: tuple[np.ndarray, np.ndarray]
) -> None:
    train, test = data
    mean, deviation = MODELS[name](train, smooth(train), 3).predict(test)
    assert tau(mean, smooth(test)) > 0.6
    assert (deviation >= 0).all()
    again, _ = MODELS[name](train, smooth(train), 3).predict(test)
    assert np.array_equal(mean, again)


def test_the_process_is_that_of_another_library(data: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = data
    ours = GaussianProcess(train, smooth(train), 0)
    width = train.shape[1] ** 0.5 * ours._length
    values = smooth(train)
    # The noise that was chosen is recovered from the whitened kernel.
    kernel = np.linalg.inv(ours._whitening) @ np.linalg.inv(ours._whitening).T
    noise = float(kernel[0, 0] - 1.0)
    other = GaussianProcessRegressor(
        ConstantKernel(ours._scale, "fixed") * RBF(width, "fixed"),
        alpha=noise * ours._scale,
        optimizer=None,
    ).fit(train, values - values.mean())
    mean, deviation = other.predict(test, return_std=True)
    found = ours.predict(test)
    assert found[0] == pytest.approx(mean + values.mean(), abs=1e-8)
    assert found[1] == pytest.approx(deviation, abs=1e-6)
    assert ours.mean(test) == pytest.approx(found[0])


def test_the_cubic_function_reproduces_what_is_linear() -> None:
    rows = np.random.default_rng(1).random((30, 3))
    values = rows @ np.array([1.0, -2.0, 0.5]) + 3.0
    mean, deviation = CubicRbf(rows[:20], values[:20], 0).predict(rows[20:])
    assert mean == pytest.approx(values[20:])
    assert deviation == pytest.approx(0.0, abs=1e-8)


def test_switching_takes_the_model_that_ranks_best() -> None:
    rows = np.random.default_rng(2).random((20, 3))
    values = rows @ np.array([1.0, -2.0, 0.5])
    chosen = switching(rows, values, 0)
    assert isinstance(chosen, CubicRbf | GaussianProcess), "a plane is theirs"
    assert type(chosen).__name__ in {c.__name__ for c in PLAIN.values() if isinstance(c, type)}


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12, unique=True), st.integers(0, 99))
def test_tau_is_kendalls(values: list[float], seed: int) -> None:
    first = np.array(values)
    second = np.random.default_rng(seed).permutation(len(values)).astype(float)
    assert tau(first, second) == pytest.approx(kendalltau(first, second).statistic)


def test_normal_scores_are_quantiles_of_ranks_and_ties_share() -> None:
    scores = normal_scores(np.array([3.0, 1.0, 2.0, 2.0]))
    expected = norm.ppf(np.array([3.5, 0.5, 2.0, 2.0]) / 4)
    assert scores == pytest.approx(expected)


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0.0, 1.0, 0.5), (2.0, 0.3, 1.0)])
def test_expected_improvement_is_an_expectation(mean: float, deviation: float, best: float) -> None:
    grid = np.linspace(-8, 8, 20001)
    gain = np.maximum(mean + deviation * grid - best, 0.0) * norm.pdf(grid)
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)
    assert found[0] == pytest.approx(np.trapezoid(gain, grid), abs=1e-6)


def test_the_pick_prefers_a_good_neighborhood_to_a_lucky_value() -> None:
    """One draw among 150 gets a lucky value; the rest follow the number of 3x3 convolutions."""
    draw = np.random.default_rng(0)
    known = [CELLS[int(r)] for r in draw.choice(CELLS.size, 150, replace=False)]
    truth = [sum(v == "nor_conv_3x3" for v in a.decisions.values()) for a in known]
    values = [t + 0.1 * draw.random() for t in truth]
    lucky = truth.index(1)
    values[lucky] = max(values) + 0.5
    picked = recommended(known, values, Variation(CELLS), Features("decisions"), 0)
    assert picked != lucky
    assert truth[picked] == max(truth)


def test_the_pick_is_the_best_value_where_there_is_little_to_learn_from() -> None:
    known = [CELLS[r] for r in (1, 2, 3)]
    assert recommended(known, [1.0, 3.0, 2.0], Variation(CELLS), Features(), 0) == 1
    many = [CELLS[r] for r in range(20)]
    assert recommended(many, [7.0] * 20, Variation(CELLS), Features(), 0) == 0
