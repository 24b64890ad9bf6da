"""Fingerprints: equal ones mean equal functions; names and order do not matter."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

import networkx as nx
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import nasdsl
from nasdsl.api import analyze
from nasdsl.compiler import compile_network
from nasdsl.diagnostics import Source
from nasdsl.graph.fingerprint import fingerprint
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.operation import Cost, TensorType
from nasdsl.operations.resolve import resolve
from nasdsl.operations.table import OPERATIONS
from tests.graph.isomorphism import mapping
from tests.space.programs import Drawn, examples, programs

CELLS = """
input  image[2, 8, 8]
output logits[3]
choice Edge(c) =
  | none = zero
  | skip = identity
  | c1   = relu >> conv(c, 1, bias=false) >> bn
  | c3   = relu >> conv(c, 3)
  | pool = avgpool(3, stride=1)
cell Cell(c) {
  input  n[0]
  node   n[j in 1..3] = sum(Edge(c)(n[i]) for i in 0..j-1)
  output n[3]
}
network = conv(2, 3) >> Cell(2) >> conv(4, 3, stride=2) >> Cell(4) >> bn >> global_avgpool >> linear(3)
"""


def shuffled(network: Network, draw: random.Random) -> Network:
    """The same network with other names, another order, and commutative operands exchanged."""
    left = list(network.nodes)
    draw.shuffle(left)
    placed: dict[str, str] = {}
    nodes: list[Node] = []
    # Inputs of the network keep their order, which means something.
    for node in [n for n in network.nodes if n.op == INPUT]:
        placed[node.id] = f"x{len(nodes)}"
        nodes.append(node._replace(id=placed[node.id]))
    left = [n for n in left if n.op != INPUT]
    while left:
        ready = [n for n in left if all(i in placed for i in n.inputs)]
        node = draw.choice(ready)
        left.remove(node)
        operands = [placed[i] for i in node.inputs]
        if OPERATIONS[node.op].commutative:
            draw.shuffle(operands)
        placed[node.id] = f"y{draw.random()}"
        nodes.append(node._replace(id=placed[node.id], inputs=tuple(operands)))
    return Network(tuple(nodes), tuple(placed[o] for o in network.outputs), "other")


def randomized(module: torch.fx.GraphModule, seed: int) -> None:
    """Random weights, and random statistics of norms, so that nothing is 0 or 1 by chance."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            values = torch.rand(tensor.shape, generator=generator) + 0.25
            sign = torch.where(torch.rand(tensor.shape, generator=generator) < 0.5, -1.0, 1.0)
            tensor.copy_(values if "running_var" in name else values * sign)


def computed(model: torch.fx.GraphModule, network: Network, seed: int) -> torch.Tensor:
    """Output for random inputs, without generating the model's code, which takes longest."""
    draw = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(3, *node.type.shape, generator=draw) for node in network.inputs]
    with torch.no_grad():
        result: torch.Tensor = torch.fx.Interpreter(model.eval()).run(*inputs)
    return result


def pairs_agree(networks: Sequence[Network], seed: int) -> int:
    """All pairs of networks of one fingerprint, under weights carried along isomorphisms.

    Each is held to the first one, with its weights; so any two agree under theirs. Returns the
    number of pairs.
    """
    first, *others = networks
    model = compile_network(first, seed)
    randomized(model, seed)
    given = model.state_dict()
    expected = computed(model, first, seed)
    for number, network in enumerate(others, 1):
        nodes = mapping(first, network)
        assert nodes is not None
        other = compile_network(network, seed + number)
        state = other.state_dict()
        for at, there in nodes.items():
            module = model.meta["paths"][at].module
            if module is not None:
                into = other.meta["paths"][there].module
                for name in [n for n in given if n.startswith(f"{module}.")]:
                    state[into + name[len(module) :]] = given[name]
        other.load_state_dict(state)
        apart = (computed(other, network, seed) - expected).abs().max()
        assert apart / (1 + expected.abs().max()) < 1e-5
    return len(networks) * len(others) // 2


def by_class(architectures: Iterable[nasdsl.Architecture]) -> list[list[Network]]:
    """The networks of each fingerprint that several architectures have."""
    found: dict[str, list[Network]] = defaultdict(list)
    for architecture in architectures:
        found[architecture.fingerprint].append(architecture.network)
    return [networks for networks in found.values() if len(networks) > 1]


def test_equal_fingerprints_compute_the_same() -> None:
    """More than two thousand pairs of cells."""
    classes = by_class(nasdsl.load(CELLS).samples(1_400, seed=1))
    assert sum(pairs_agree(networks, seed) for seed, networks in enumerate(classes)) > 2_000


def test_equal_fingerprints_of_random_spaces_compute_the_same() -> None:
    """More than a thousand pairs of spaces of every kind that the language has."""
    pairs = 0
    for seed in range(280):
        draw = random.Random(seed)
        space = analyze(Source("<text>", Drawn(draw).program())).space
        if space is not None and space.size > 1:
            ranks = draw.sample(range(space.size), min(space.size, 14))
            pairs += sum(pairs_agree(c, seed) for c in by_class(space[r] for r in ranks))
    assert pairs > 1_000


def test_classes_are_those_of_isomorphism() -> None:
    """Equal up to isomorphism after simplification, and only then, means equal fingerprints."""
    space = nasdsl.load(CELLS)
    draw = random.Random(3)
    networks = [space[draw.randrange(space.size)] for _ in range(700)]
    buckets: dict[object, list[tuple[str, Network]]] = defaultdict(list)
    for a in networks:
        key = (a.params, a.macs, len(a.network.nodes))
        buckets[key].append((a.fingerprint, a.network))
    compared = 0
    for bucket in buckets.values():
        for (one, a), (other, b) in itertools.islice(itertools.combinations(bucket, 2), 12):
            assert (one == other) == (mapping(a, b) is not None)
            compared += 1
    assert compared > 400


@examples(45)
@given(programs(), st.integers(0, 2**32))
def test_names_and_order_do_not_matter(text: str, seed: int) -> None:
    found = analyze(Source("<text>", text))
    assume(found.space is not None)
    assert found.space is not None
    draw = random.Random(seed)
    for _ in range(3):
        network = found.space[draw.randrange(found.space.size)].network
        assert fingerprint(shuffled(network, draw)) == fingerprint(network)


@examples(30)
@given(programs(), st.integers(0, 2**32))
def test_simplification_keeps_the_function(text: str, seed: int) -> None:
    """Zeros, identities and dead parts gone: what is written computes the same."""
    found = analyze(Source("<text>", text))
    assume(found.space is not None)
    assert found.space is not None
    architecture = found.space[random.Random(seed).randrange(found.space.size)]
    nodes, output = architecture.written
    written = compile_network(Network(tuple(nodes), (output,)), 1)
    live = compile_network(architecture.network, 2)
    randomized(written, seed % 1000)
    state = live.state_dict()
    given = written.state_dict()
    for at, place in live.meta["paths"].items():
        if place.module is not None:
            source = written.meta["paths"][at].module
            for name in [n for n in given if n.startswith(f"{source}.")]:
                state[place.module + name[len(source) :]] = given[name]
    live.load_state_dict(state)
    x = torch.randn(2, *found.space.input.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        a, b = written.eval()(x), live.eval()(x)
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# ---- small graphs, all of them


IMAGE = TensorType((2, 4, 4))


def vertex(name: str, kernel: int, *inputs: str) -> Node:
    conv = OPERATIONS["conv"]
    settings = resolve(conv, [2, kernel], {})
    return Node(name, "conv", settings, inputs, IMAGE, conv.cost(settings, (IMAGE,), IMAGE))


def summed(name: str, inputs: list[str]) -> Node:
    return Node(name, "add", {}, tuple(inputs), IMAGE, Cost())


def graphs(vertices: int) -> list[Network]:
    """Every labelled graph in which each vertex lies on a path from the input to the output.

    The benchmark allows at most 9 edges, which leaves out the full graph of 5 vertices.
    """
    found = []
    inner = vertices - 2
    places = list(itertools.combinations(range(vertices), 2))
    for bits in itertools.product((False, True), repeat=len(places)):
        edges = [e for e, on in zip(places, bits, strict=True) if on]
        graph = nx.DiGraph(edges)
        graph.add_nodes_from(range(vertices))
        if len(edges) > 9 or not (
            len(nx.descendants(graph, 0)) == vertices - 1
            and len(nx.ancestors(graph, vertices - 1)) == vertices - 1
        ):
            continue
        for kernels in itertools.product((1, 3, 5), repeat=inner):
            nodes = [Node("0", INPUT, {}, (), IMAGE)]
            for v in range(1, vertices):
                sources = [str(a) for a, b in edges if b == v]
                if len(sources) > 1:
                    nodes.append(summed(f"s{v}", sources))
                    sources = [f"s{v}"]
                kernel = kernels[v - 1] if v <= inner else 7
                nodes.append(vertex(str(v), kernel, *sources))
            found.append(Network(tuple(nodes), (str(vertices - 1),)))
    return found


@pytest.mark.parametrize(("vertices", "unique"), [(2, 1), (3, 6), (4, 84), (5, 2441)])
def test_unique_graphs_of_nasbench101(vertices: int, unique: int) -> None:
    """The published numbers of graphs with labelled vertices, up to isomorphism."""
    assert len({fingerprint(network) for network in graphs(vertices)}) == unique


def test_multiplicity_and_ports_count() -> None:
    x = Node("x", INPUT, {}, (), IMAGE)
    once = Network((x, vertex("c", 3, "x")), ("c",))
    twice = Network((x, vertex("c", 3, "x"), summed("s", ["c", "c"])), ("s",))
    assert fingerprint(once) != fingerprint(twice)
    a, b = vertex("a", 3, "x"), vertex("b", 5, "x")
    joined = [
        Node("j", "concat", {}, pair, TensorType((4, 4, 4))) for pair in (("a", "b"), ("b", "a"))
    ]
    end = OPERATIONS["conv"]
    settings = resolve(end, [2, 1], {})
    last = Node("z", "conv", settings, ("j",), IMAGE, Cost(1, 1))
    one, other = (Network((x, a, b, j, last), ("z",)) for j in joined)
    # The order of concatenated parts is that of the weights that read them.
    assert fingerprint(one) != fingerprint(other)


def test_weights_are_not_merged() -> None:
    """Two convolutions of one tensor are two; two poolings of one tensor are one."""
    x = Node("x", INPUT, {}, (), IMAGE)
    two = Network((x, vertex("a", 3, "x"), vertex("b", 3, "x"), summed("s", ["a", "b"])), ("s",))
    one = Network((x, vertex("a", 3, "x"), summed("s", ["a", "a"])), ("s",))
    assert fingerprint(two) != fingerprint(one)
    relu = [Node(n, "relu", {}, ("x",), IMAGE) for n in ("p", "q")]
    assert fingerprint(Network((x, *relu, summed("s", ["p", "q"])), ("s",))) == fingerprint(
        Network((x, relu[0], summed("s", ["p", "p"])), ("s",))
    )


def test_networks_that_do_not_read_their_input_are_told_apart_by_what_they_are() -> None:
    """Constants have no place of their own in the order of a network."""
    text = """
input  image[2, 8, 8]
output logits[3]
choice Branch =
  | a = bn
  | b = conv(2, 3)
  | c = conv(2, 3) >> bn
network = zero >> (Branch + (Branch >> conv(2, 1)) + (Branch >> relu)) >> global_avgpool
    >> linear(3)
"""
    space = nasdsl.load(text)
    draw = random.Random(5)
    classes = defaultdict(set)
    for architecture in space:
        network = architecture.network
        for _ in range(3):
            assert fingerprint(shuffled(network, draw)) == architecture.fingerprint
        classes[architecture.fingerprint].add(architecture.rank)
    # No branch can be exchanged with another, since what follows differs.
    assert len(classes) == space.size == 27
