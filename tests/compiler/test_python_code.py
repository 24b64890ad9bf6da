"""The code of a graph against the text that torch writes for it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx
from torch.fx.graph import CodeGen, PythonCode

import nasdsl
from nasdsl.compiler import compile_network, python_code
from nasdsl.compiler.plan import plan
from nasdsl.compiler.python_code import NetworkGraph
from tests.compiler.spaces import space

SPACES = sorted((Path(__file__).parents[2] / "spaces").glob("*.nas"))


def both(graph: NetworkGraph) -> tuple[PythonCode, PythonCode]:
    """What is written here and what torch writes."""
    return graph.python_code("self"), fx.Graph.python_code(graph, "self")


@pytest.mark.parametrize("path", SPACES, ids=lambda p: p.stem)
def test_networks_of_the_spaces_are_plain_and_written_as_torch_does(path: Path) -> None:
    for architecture in nasdsl.load(path).samples(1, seed="code"):
        graph = plan(architecture.network).graph
        assert python_code._written(graph, "self") == fx.Graph.python_code(graph, "self")


FUNCTIONS: list[Callable[..., object]] = [torch.relu, torch.cat, operator.add, operator.mul]
ARGUMENTS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 3, 0.5, float("inf"), "same", torch.float32, (), (1,), [2, 3], [(4, [])]]
)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_random_graphs_have_the_text_of_torch(data: st.DataObject) -> None:
    graph = NetworkGraph()
    known = [graph.placeholder(n) for n in data.draw(st.sampled_from([["x"], ["y", "input"]]))]
    for _ in range(data.draw(st.integers(0, 8))):
        operand = st.sampled_from(known)
        arguments = data.draw(st.lists(st.one_of(operand, ARGUMENTS), max_size=2))
        kind = data.draw(st.sampled_from(["call_module", "call_method", "call_function"]))
        target: Callable[..., object] | str = data.draw(st.sampled_from(["a.b", "a", "sum"]))
        if kind == "call_function":
            target = data.draw(st.sampled_from(FUNCTIONS))
        elif kind == "call_method":
            target = "size"
        first = (data.draw(operand), *arguments, *known[:1])
        args = first[:2] if target in (operator.add, operator.mul) else first
        named: dict[str, Any] = {}
        if len(args) != 2:
            named = data.draw(st.dictionaries(st.just("dim"), ARGUMENTS))
        known.append(graph.create_node(kind, target, args, named))
    results = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=2))
    graph.output(results[0] if len(results) == 1 else tuple(results))
    assert python_code._written(graph, "self") is not None
    mine, theirs = both(graph)
    assert mine == theirs


def wrapped(x: torch.Tensor) -> torch.Tensor:
    return x


def small() -> tuple[NetworkGraph, fx.Node, fx.Node]:
    graph = NetworkGraph()
    x = graph.placeholder("x")
    return graph, x, graph.call_function(torch.relu, (x,))


def typed() -> NetworkGraph:
    graph, _, y = small()
    y.type = torch.Tensor
    graph.output(y)
    return graph


def default() -> NetworkGraph:
    graph = NetworkGraph()
    graph.output(graph.placeholder("x", default_value=None))
    return graph


def foreign() -> NetworkGraph:
    graph, _, y = small()
    graph.output(graph.call_function(wrapped, (y,)))
    return graph


def attribute() -> NetworkGraph:
    graph, _, y = small()
    graph.output((y, graph.get_attr("weight")))
    return graph


def numbered() -> NetworkGraph:
    graph, x, _ = small()
    graph.output(graph.call_module("layers.0", (x,)))
    return graph


def twice() -> NetworkGraph:
    graph, _, y = small()
    z = graph.call_function(torch.neg, (y,))
    z.name = y.name
    graph.output(z)
    return graph


def builtin() -> NetworkGraph:
    graph, _, y = small()
    y.name = "sum"
    graph.output(y)
    return graph


def sliced() -> NetworkGraph:
    graph, x, _ = small()
    graph.output(graph.call_function(operator.getitem, (x, slice(1, None))))
    return graph


class Own(CodeGen):
    def generate_output(self, output_args: object, **options: object) -> str:
        return "return None"


def generator() -> NetworkGraph:
    graph, _, y = small()
    graph.output(y)
    graph.set_codegen(Own())
    return graph


def transformed() -> NetworkGraph:
    graph, _, y = small()
    graph.output(y)
    graph.on_generate_code(lambda current: lambda body: ["pass\n", *body])
    return graph


OTHERS = [
    typed,
    default,
    foreign,
    attribute,
    numbered,
    twice,
    builtin,
    sliced,
    generator,
    transformed,
]


@pytest.mark.parametrize("make", OTHERS, ids=lambda make: make.__name__)
def test_other_graphs_are_left_to_torch(make: Callable[[], NetworkGraph]) -> None:
    graph = make()
    assert python_code._written(graph, "self") is None
    mine, theirs = both(graph)
    assert mine == theirs


def test_options_are_those_of_torch() -> None:
    graph = plan(space("cell").sample(2).network).graph
    theirs = fx.Graph.python_code(graph, "self", verbose=True)
    assert graph.python_code("self", verbose=True) == theirs


def test_another_text_of_torch_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    network = space("cell").sample(2).network
    mine = compile_network(network).code
    assert python_code._agrees()
    monkeypatch.setattr(python_code, "_agrees", lambda: False)
    monkeypatch.setattr(python_code, "_written", lambda graph, root: pytest.fail("was used"))
    assert compile_network(network).code == mine


def test_the_map_of_lines_leads_to_the_nodes() -> None:
    module = compile_network(space("cell").sample(2).network)
    text = module.code.split("\n")
    code = module.graph.python_code("self")
    assert code._lineno_map is not None
    nodes = list(module.graph.nodes)
    start = next(i for i, line in enumerate(text) if line.startswith("def "))
    for line, node in code._lineno_map.items():
        words = text[start + line].strip()
        assert node is not None
        if words.startswith("return"):
            assert nodes[node].op == "output"
        elif words:
            assert words.split(" = ")[0] == nodes[node].name
