"""NAS-Bench-201 against its published table and an account of its cells written separately."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import networkx as nx
import pytest
import torch
from networkx.algorithms.isomorphism import DiGraphMatcher
from torch import nn

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.compiler.names import module_path
from nasdsl.graph.network import Network
from tests.spaces import arithmetic, published

FILE = Path(__file__).parents[2] / "spaces" / "nasbench201.nas"


@pytest.fixture(scope="module")
def space() -> nasdsl.Space:
    return nasdsl.load(FILE)


@pytest.fixture(scope="module")
def small() -> nasdsl.Space:
    """One cell alone: which cells are equal does not depend on what stands around them."""
    return nasdsl.load(
        """
        use "nasbench201.nas"
        let C = 4
        network = conv(C, 3) >> Cell(C) >> bn >> relu >> global_avgpool >> linear(10)
        """
    )


@pytest.fixture(scope="module")
def classes(small) -> dict[str, list[int]]:
    """Ranks by fingerprint."""
    found: dict[str, list[int]] = defaultdict(list)
    for architecture in small:
        found[architecture.fingerprint].append(architecture.rank)
    return dict(found)


def test_every_cell_once_in_the_order_of_the_text(space):
    assert space.size == 5**6 == 15_625
    assert [a.key for a in space] == [published.name(cell) for cell in published.cells()]


def test_keys_are_the_published_names(space):
    names = [row["arch_str"] for row in published.rows()]
    assert len(names) == 15_625
    assert {a.key for a in space} == set(names)
    for name in random.Random(0).sample(names, 100):
        assert space.find(name).key == name


def test_decisions_are_the_edges(space):
    for rank, cell in enumerate(published.cells()):
        if rank % 97 == 0:
            assert tuple(space[rank].decisions.values()) == cell
    assert list(space[0].decisions) == [f"Cell.n[{j}].{i}" for j in (1, 2, 3) for i in range(j)]


def test_24_neighbors_of_one_changed_edge(space):
    for center in space.samples(25, seed="neighbors"):
        cell = tuple(center.decisions.values())
        expected = {
            published.name((*cell[:at], operation, *cell[at + 1 :]))
            for at in range(6)
            for operation in published.OPERATIONS
            if operation != cell[at]
        }
        found = [n.architecture.key for n in space.neighbors(center)]
        assert len(found) == len(expected) == 24
        assert set(found) == expected


def test_declared_costs_are_the_published_ones(space):
    for row in random.Random(1).sample(published.rows(), 60):
        architecture = space.find(row["arch_str"])
        assert architecture.declared_params == round(float(row["params_m_cifar10"]) * 1e6)
        # The benchmark counts the ten additions of the classifier's bias too.
        assert architecture.declared_macs + 10 == round(float(row["flops_m_cifar10"]) * 1e6)
        assert architecture.params <= architecture.declared_params
        assert architecture.macs <= architecture.declared_macs


def test_the_greatest_cost_is_the_published_one(space):
    macs = max(float(row["flops_m_cifar10"]) for row in published.rows())
    params = max(float(row["params_m_cifar10"]) for row in published.rows())
    assert space.info()["macs"]["max"] + 10 == round(macs * 1e6)
    assert space.info()["params"]["max"] == round(params * 1e6)


def test_the_rules_of_the_benchmark_give_its_published_numbers():
    cells = list(published.cells())
    assert len({published.unique_string(c, zeros=True) for c in cells}) == 6_466
    assert len({published.unique_string(c, zeros=False) for c in cells}) == 12_751


def test_the_published_classes_are_those_of_the_rules(space):
    index = {row["arch_str"]: row["iso_index"] for row in published.rows()}
    pairs = {
        (published.unique_string(c, zeros=True), index[published.name(c)])
        for c in published.cells()
    }
    assert len(pairs) == 6_466


def test_fingerprints_are_equal_exactly_for_cells_that_are_the_same_equation(classes):
    expected: dict[str, list[int]] = defaultdict(list)
    for rank, cell in enumerate(published.cells()):
        expected[published.simplified(cell)].append(rank)
    assert sorted(classes.values()) == sorted(expected.values())
    assert len(classes) == 6_398


def test_a_fingerprint_does_not_depend_on_what_stands_around_a_cell(space, small, classes):
    draw = random.Random(2)
    several = [ranks for ranks in classes.values() if len(ranks) > 1]
    for ranks in draw.sample(several, 10):
        assert len({space[rank].fingerprint for rank in ranks[:4]}) == 1
    ones = [ranks[0] for ranks in draw.sample(list(classes.values()), 30)]
    assert len({space[rank].fingerprint for rank in ones}) == 30


@pytest.mark.parametrize("mode", ["running", "batch"])
def test_all_cells_of_a_class_compute_the_same(classes, mode):
    """All pairs of all classes: every cell, dead edges too, under the weights that match.

    What a cell computes and which weights match are written from the benchmark's description;
    that compiled networks compute it is held below. Pairs agree because each cell agrees with
    the first of its class.
    """
    cells = list(published.cells())
    x = torch.randn(2, 2, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def made(weights: arithmetic.Weights) -> torch.Tensor:
        parts = range(0, len(cells), 2_500)
        return torch.cat(
            [
                arithmetic.outputs(cells[i : i + 2_500], weights.at(slice(i, i + 2_500)), x, mode)
                for i in parts
            ]
        )

    first = torch.empty(len(cells), dtype=torch.long)
    for ranks in classes.values():
        first[ranks] = ranks[0]
    found = made(arithmetic.matching(cells, seed=2)).flatten(1)
    assert len(found) == 15_625 and len(classes) == 6_398
    assert (found - found[first]).abs().max() < 1e-11
    # Some classes compute the same by identities of pooling, which no fingerprint claims.
    assert len(torch.unique(found.mul(1e6).round(), dim=0)) > 5_000
    # Without matching, cells of a class agree only where they have no weights.
    found = made(arithmetic.Weights.drawn((len(cells), 6), torch.Generator().manual_seed(3)))
    apart = (found.flatten(1) - found.flatten(1)[first]).abs().amax(1) > 1e-6
    other = first != torch.arange(len(cells))
    weighted = torch.tensor([bool(published.numbered(c)[1]) for c in cells])
    assert torch.equal(apart, other & weighted)


def test_compiled_cells_compute_what_the_benchmark_describes():
    """Ties the arithmetic of the test above to compiled networks, all their weights set."""
    space = nasdsl.load(
        """
        use "nasbench201.nas"
        input image[2, 5, 5]
        output features[2, 5, 5]
        network = Cell(2)
        """
    )
    draw = torch.Generator().manual_seed(4)
    x = torch.randn(2, 2, 5, 5, generator=draw, dtype=torch.float64)
    cells = list(published.cells())
    ranks = random.Random(5).sample(range(len(cells)), 40)
    weights = arithmetic.Weights.drawn((len(ranks), 6), draw)
    edges = [f"Cell.n_{j}_{i}" for j in (1, 2, 3) for i in range(j)]
    for mode in ("running", "batch"):
        expected = arithmetic.outputs([cells[r] for r in ranks], weights, x, mode)
        for at, rank in enumerate(ranks):
            written, output = space[rank].written
            model = compile_network(Network(tuple(written), (output,))).double()
            state = model.state_dict()
            for name in state:
                edge = next(e for e, path in enumerate(edges) if name.startswith(f"{path}."))
                own = weights.at((at, edge))
                values = {
                    "bn.weight": own.scale,
                    "bn.bias": own.shift,
                    "bn.running_mean": own.mean,
                    "bn.running_var": own.variance,
                    "conv.weight": own.wide if "3x3" in name else own.narrow[..., None, None],
                }
                end = ".".join(name.split(".")[-2:])
                state[name] = values.get(end, state[name])
            model.load_state_dict(state)
            with torch.no_grad():
                made = model.train(mode == "batch")(x)
            torch.testing.assert_close(made, expected[at], rtol=1e-9, atol=1e-9)


def test_networks_of_one_fingerprint_compute_the_same(small, classes):
    """Every operation as written, dead ones too, with weights carried along the live graphs."""
    draw = random.Random(3)
    several = [ranks for ranks in classes.values() if len(ranks) > 1]
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for ranks in draw.sample(several, 12):
        first, *others = [small[rank] for rank in draw.sample(ranks, min(4, len(ranks)))]
        model = _drawn(first)
        with torch.no_grad():
            expected = model(x)
        assert expected.std() > 0
        for other in others:
            copy = _drawn(other)
            for here, there in _matched(first.network, other.network).items():
                _carry(model, here, copy, there)
            with torch.no_grad():
                torch.testing.assert_close(copy(x), expected, rtol=1e-4, atol=1e-5)


def test_weights_that_are_not_carried_matter(small):
    architecture = small[published_rank("nor_conv_3x3")]
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = _drawn(architecture)(x), _drawn(architecture, "other")(x)
    assert (a - b).abs().max() > 1e-3


def published_rank(operation: str) -> int:
    """The rank of the cell whose edges all have this operation."""
    return list(published.cells()).index((operation,) * 6)


def _drawn(architecture: nasdsl.Architecture, key: str = "") -> nn.Module:
    """The network as written, with weights and statistics of its own."""
    written, output = architecture.written
    model = compile_network(Network(tuple(written), (output,)))
    generator = torch.Generator().manual_seed(hash((architecture.rank, len(key))) % 2**31)
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator)
                # Norms keep positive variances and weights; convolutions vary about zero.
                tensor.copy_(noise + 0.5 if tensor.ndim == 1 else (noise - 0.5) * 0.6)
    return model.eval()


def _carry(source: nn.Module, here: str, target: nn.Module, there: str) -> None:
    modules = dict(source.named_modules())
    if module_path(here) in modules:
        state = modules[module_path(here)].state_dict()
        dict(target.named_modules())[module_path(there)].load_state_dict(state)


def _matched(first: Network, second: Network) -> dict[str, str]:
    """Operations with weights of one live network by those of the other."""
    a, b = _merged(first), _merged(second)
    matcher = DiGraphMatcher(
        a,
        b,
        node_match=lambda m, n: m == n,
        edge_match=lambda m, n: m == n,
    )
    assert matcher.is_isomorphic()
    return {here: there for here, there in matcher.mapping.items() if a.nodes[here]["weights"]}


def _merged(network: Network) -> nx.DiGraph:
    """The network, with equal operations on equal operands made one where they have no weights."""
    known: dict[tuple[object, ...], str] = {}
    stands: dict[str, str] = {}
    graph = nx.DiGraph()
    for node in network.nodes:
        operands = sorted(stands[i] for i in node.inputs)
        settings = str(sorted(node.settings.items()))
        key = (node.op, settings, *operands)
        if node.op != "input" and not node.cost.params and key in known:
            stands[node.id] = known[key]
            continue
        known[key] = stands[node.id] = node.id
        graph.add_node(
            node.id,
            op=node.op,
            settings=settings,
            shape=str(node.type),
            weights=bool(node.cost.params),
        )
        for operand in set(operands):
            graph.add_edge(operand, node.id, times=operands.count(operand))
    return graph
