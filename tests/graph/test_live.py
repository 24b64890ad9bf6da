"""The live network: what simplification keeps, held to arithmetic on plain numbers."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasdsl.graph.fingerprint import fingerprint
from nasdsl.graph.live import live
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.graph.plain import from_plain, to_plain
from nasdsl.operations.operation import TensorType
from nasdsl.operations.resolve import resolve
from nasdsl.operations.table import OPERATIONS

IMAGE = TensorType((2, 4, 4))
UNARY = ("zero", "identity", "relu", "sigmoid", "avgpool", "linear-like", "affine-like", "bn")
JOINING = ("add", "add", "mul", "mean", "first")
seeds = st.integers(0, 2**32)
PROPERTY = settings(max_examples=150, derandomize=True, database=None, deadline=None)


def node(name: str, op: str, *inputs: str) -> Node:
    """An operation that keeps the shape; the convolutions differ in their bias."""
    given: dict[str, object] = {}
    if op in ("linear-like", "affine-like"):
        given = {"channels": 2, "kernel": 3, "bias": op == "affine-like"}
        op = "conv"
    elif op == "avgpool":
        given = {"kernel": 3, "stride": 1}
    fact = OPERATIONS[op]
    resolved = resolve(fact, [], given)
    types = tuple(IMAGE for _ in inputs)
    return Node(name, op, resolved, inputs, IMAGE, fact.cost(resolved, types, IMAGE))


def written(draw: random.Random, size: int) -> tuple[list[Node], tuple[str, ...]]:
    """Random operations on one or two inputs, and one or two outputs."""
    nodes = [Node(f"x{i}", INPUT, {}, (), IMAGE) for i in range(draw.randint(1, 2))]
    for number in range(size):
        names = [n.id for n in nodes]
        if draw.random() < 0.5:
            nodes.append(node(f"n{number}", draw.choice(UNARY), draw.choice(names)))
        else:
            operands = draw.choices(names, k=draw.randint(1, 3))
            nodes.append(node(f"n{number}", draw.choice(JOINING), *operands))
    outputs = draw.sample([n.id for n in nodes], k=min(len(nodes), draw.randint(1, 2)))
    return nodes, tuple(outputs)


def values(nodes: tuple[Node, ...] | list[Node], outputs: tuple[str, ...]) -> list[float]:
    """What the outputs are where a tensor is one number and weights follow from the node's name."""
    found: dict[str, float] = {}
    for n in nodes:
        given = [found[i] for i in n.inputs]
        weight, shift = (random.Random(f"{n.id} {k}").uniform(0.5, 2) for k in "ws")
        match n.op:
            case "input":
                found[n.id] = random.Random(n.id).uniform(-2, 2)
            case "zero":
                found[n.id] = 0.0
            case "identity" | "first" | "avgpool":
                found[n.id] = given[0]
            case "relu":
                found[n.id] = max(given[0], 0.0)
            case "sigmoid":
                found[n.id] = 1 / (1 + math.exp(-max(min(given[0], 50.0), -50.0)))
            case "conv":
                found[n.id] = weight * given[0] + (shift if n.settings["bias"] else 0.0)
            case "bn":
                found[n.id] = weight * given[0] + shift
            case "add":
                found[n.id] = sum(given)
            case "mul":
                found[n.id] = math.prod(given)
            case "mean":
                found[n.id] = sum(given) / len(given)
            case other:
                raise AssertionError(other)
    return [found[o] for o in outputs]


@PROPERTY
@given(seeds, st.integers(1, 14))
def test_simplification_keeps_every_value(seed: int, size: int) -> None:
    nodes, outputs = written(random.Random(seed), size)
    network = live(nodes, outputs, "a")
    assert values(network.nodes, network.outputs) == pytest.approx(values(nodes, outputs))


@PROPERTY
@given(seeds, st.integers(1, 14))
def test_only_what_counts_is_left(seed: int, size: int) -> None:
    nodes, outputs = written(random.Random(seed), size)
    network = live(nodes, outputs, "a")
    needed = set(network.outputs)
    for n in reversed(network.nodes):
        assert n.op in (INPUT, "zero") or n.id in needed
        needed.update(n.inputs if n.id in needed else ())
        assert n.op not in ("identity", "first")
        assert not (n.op in ("add", "mul", "mean") and len(n.inputs) == 1)
    by_id = network.by_id
    for n in network.nodes:
        below = [by_id[i].op for i in n.inputs]
        if n.op in ("add", "mul"):
            assert "zero" not in below
        assert not (n.op in ("relu", "avgpool") and below == ["zero"])
    assert [n for n in network.nodes if n.op == INPUT] == [n for n in nodes if n.op == INPUT]


@PROPERTY
@given(seeds, st.integers(1, 14))
def test_simplification_is_done_once(seed: int, size: int) -> None:
    nodes, outputs = written(random.Random(seed), size)
    once = live(nodes, outputs, "a")
    assert live(once.nodes, once.outputs, "a") == once


@PROPERTY
@given(seeds, st.integers(1, 10))
def test_identities_and_dead_parts_change_no_fingerprint(seed: int, size: int) -> None:
    draw = random.Random(seed)
    nodes, outputs = written(draw, size)
    padded: list[Node] = []
    stands: dict[str, str] = {}
    for n in nodes:
        operands = tuple(stands[i] for i in n.inputs)
        padded.append(n._replace(inputs=operands))
        stands[n.id] = n.id
        if draw.random() < 0.5:  # everything behind it reads it through an identity
            padded.append(node(f"i.{n.id}", "identity", n.id))
            stands[n.id] = f"i.{n.id}"
        if draw.random() < 0.3:
            padded.append(node(f"d.{n.id}", draw.choice(UNARY), stands[n.id]))
    other = live(padded, tuple(stands[o] for o in outputs), "b")
    assert fingerprint(other) == fingerprint(live(nodes, outputs, "a"))


@PROPERTY
@given(seeds, st.integers(1, 12))
def test_a_network_survives_json_and_networkx(seed: int, size: int) -> None:
    nodes, outputs = written(random.Random(seed), size)
    network = Network(tuple(nodes), outputs, "a")
    assert from_plain(json.loads(json.dumps(to_plain(network)))) == network
    again = Network.from_networkx(network.to_networkx())
    assert again.by_id == network.by_id and again.outputs == outputs


def test_an_affine_norm_of_zero_is_a_constant_and_stays() -> None:
    x = Node("x", INPUT, {}, (), IMAGE)
    nodes = [x, node("z", "zero", "x"), node("c", "linear-like", "z"), node("b", "bn", "c")]
    kept = live(nodes, ("b",), "a")
    assert [n.op for n in kept.nodes] == ["input", "zero", "bn"]
    gone = live([*nodes, node("y", "add", "x", "c")], ("y",), "a")
    assert gone.outputs == ("x",)


@pytest.mark.parametrize("missing", ["nodes", "outputs", "name"])
def test_other_json_is_refused(missing: str) -> None:
    nodes, outputs = written(random.Random(1), 4)
    data = to_plain(Network(tuple(nodes), outputs, "a"))
    del data[missing]
    with pytest.raises(KeyError):
        from_plain(data)
