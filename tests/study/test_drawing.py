"""Layout and drawing of networks: nothing overlaps, nothing is lost, everything is escaped."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasdsl.graph.drawing import draw
from nasdsl.graph.layout import _apart, crossings, layered
from nasdsl.graph.network import Network, Node
from nasdsl.graph.plain import from_plain, to_plain
from nasdsl.operations.operation import TensorType
from nasdsl.operations.resolve import resolve
from nasdsl.operations.table import lookup

SVG = "{http://www.w3.org/2000/svg}"


def network(*lines: str, name: str = "net") -> Network:
    """A network of lines ``id = op value value (operand operand)``; ``x`` is the input."""
    nodes = [Node("x", "input", {}, (), TensorType((4, 8, 8)))]
    types = {"x": nodes[0].type}
    for line in lines:
        match = re.fullmatch(r"(.+?) = (\w+) ?([\d ]*)\((.*)\)", line)
        assert match is not None, line
        id, op, values, operands = match.groups()
        operation = lookup(op)
        assert operation is not None
        inputs = tuple(operands.split())
        settings = resolve(operation, [int(v) for v in values.split()])
        given_ = tuple(types[i] for i in inputs)
        types[id] = operation.shape(settings, given_)
        cost = operation.cost(settings, given_, types[id])
        nodes.append(Node(id, op, settings, inputs, types[id], cost))
    return Network(tuple(nodes), (nodes[-1].id,), name)


RESIDUAL = network(
    "stem.conv = conv 8 3(x)",
    "stem.bn = bn(stem.conv)",
    "stem.relu = relu(stem.bn)",
    "a.conv = conv 8 3(stem.relu)",
    "sum = add(stem.relu a.conv)",
    "twice = add(sum sum)",
    "pool = global_avgpool(twice)",
    "out = linear 10(pool)",
)


@st.composite
def graphs(draw_: st.DrawFn) -> nx.DiGraph[str]:
    n = draw_(st.integers(1, 14))
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(f"n{i}" for i in range(n))
    for a, b in combinations(range(n), 2):
        if draw_(st.integers(0, 3)) == 0:
            graph.add_edge(f"n{a}", f"n{b}")
    return graph


@settings(deadline=None)
@given(graphs(), st.data())
def test_layout_has_no_overlaps_and_runs_down(graph: nx.DiGraph[str], data: st.DataObject) -> None:
    sizes = {
        n: (data.draw(st.sampled_from([20.0, 90.0])), data.draw(st.sampled_from([10.0, 40.0])))
        for n in graph
    }
    layout = layered(graph, sizes, 7.0, 13.0)
    boxes = {}
    for n, (x, y) in layout.places.items():
        w, h = sizes[n]
        boxes[n] = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        assert boxes[n][0] >= -1e-6 and boxes[n][1] >= -1e-6
        assert boxes[n][2] <= layout.width + 1e-6 and boxes[n][3] <= layout.height + 1e-6
    assert set(boxes) == set(graph)
    for a, b in combinations(boxes.values(), 2):
        apart_x = max(a[0], b[0]) - min(a[2], b[2])
        apart_y = max(a[1], b[1]) - min(a[3], b[3])
        assert apart_x >= 7.0 - 1e-6 or apart_y >= 13.0 - 1e-6
    assert set(layout.routes) == set(graph.edges)
    for (tail, head), route in layout.routes.items():
        assert route[0] == pytest.approx(((boxes[tail][0] + boxes[tail][2]) / 2, boxes[tail][3]))
        assert route[-1] == pytest.approx(((boxes[head][0] + boxes[head][2]) / 2, boxes[head][1]))
        assert all(a[1] <= b[1] + 1e-6 for a, b in pairwise(route))


@settings(deadline=None)
@given(graphs())
def test_long_edges_pass_beside_the_boxes(graph: nx.DiGraph[str]) -> None:
    sizes = dict.fromkeys(graph, (50.0, 20.0))
    layout = layered(graph, sizes, 8.0, 12.0)
    for route in layout.routes.values():
        for (x0, y0), (x1, y1) in pairwise(route[1:-1]):
            if x0 != x1:
                continue
            for x, y in layout.places.values():
                inside = abs(x - x0) < 25.0 and min(y0, y1) < y + 10 and max(y0, y1) > y - 10
                assert not inside


def test_layout_is_the_same_each_time() -> None:
    graph = nx.gnp_random_graph(12, 0.3, seed=1, directed=True)
    dag: nx.DiGraph[str] = nx.DiGraph()
    dag.add_edges_from((f"n{a}", f"n{b}") for a, b in graph.edges if a < b)
    sizes = dict.fromkeys(dag, (40.0, 20.0))
    assert layered(dag, sizes, 5, 5) == layered(dag, sizes, 5, 5)


def test_crossings_that_can_be_avoided_are() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph([("s", "a"), ("s", "b"), ("a", "d"), ("b", "c")])
    graph.add_nodes_from(["s", "a", "b", "c", "d"])
    layout = layered(graph, dict.fromkeys(graph, (30.0, 10.0)), 5, 5)
    at = {n: x for n, (x, _) in layout.places.items()}
    assert (at["a"] - at["b"]) * (at["d"] - at["c"]) > 0


def test_crossings_are_counted() -> None:
    a, b, c, d = ("a",), ("b",), ("c",), ("d",)
    assert crossings([[a, b], [c, d]], {a: [d], b: [c]}) == 1
    assert crossings([[a, b], [c, d]], {a: [c], b: [d]}) == 0
    assert crossings([[a, b], [c, d]], {a: [c, d], b: [c, d]}) == 1


@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5))
def test_places_are_the_nearest_that_keep_the_distances(wanted: list[int]) -> None:
    """Least squares: no shift of any run of places comes nearer."""
    offsets = [4.0 * i for i in range(len(wanted))]
    found = _apart([float(w) for w in wanted], offsets)
    assert all(b - a >= 4.0 - 1e-9 for a, b in pairwise(found))

    def badness(places: list[float]) -> float:
        return sum((p - w) ** 2 for p, w in zip(places, wanted, strict=True))

    for i in range(len(found)):
        for j in range(i, len(found)):
            for step in (-0.01, 0.01):
                moved = [p + step if i <= k <= j else p for k, p in enumerate(found)]
                if all(b - a >= 4.0 - 1e-12 for a, b in pairwise(moved)):
                    assert badness(moved) >= badness(found) - 1e-9


def test_empty() -> None:
    assert layered(nx.DiGraph(), {}, 1, 1).places == {}


# The drawing


def texts(svg: str) -> list[str]:
    return ["".join(t.itertext()) for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_followers_stand_in_the_box_of_what_they_follow() -> None:
    svg = draw(RESIDUAL)
    root = ElementTree.fromstring(svg)
    shown = texts(svg)
    assert "conv 3×3" in shown
    assert "bn · relu" in shown
    boxes = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "box"]
    assert len(boxes) == 7, "input, stem, conv, two sums, pooling, linear"


def test_every_operation_is_told_with_its_place_and_cost() -> None:
    tooltips = "\n".join(
        t.text or "" for t in ElementTree.fromstring(draw(RESIDUAL)).iter(f"{SVG}title")
    )
    for node in RESIDUAL.nodes:
        assert f"{node.id}\n{node.op}(" in tooltips
    assert f"{RESIDUAL.by_id['stem.conv'].cost.params:,} params" in tooltips


def test_add_of_one_operand_twice_has_two_lines() -> None:
    svg = draw(RESIDUAL)
    edges = [p for p in ElementTree.fromstring(svg).iter(f"{SVG}path") if p.get("class") == "edge"]
    assert len(edges) == 8, "stem, conv, two into the sum, two into the second, pooling, linear"


def test_a_shared_operand_is_not_swallowed_by_its_follower() -> None:
    net = network("c = conv 4 3(x)", "r = relu(c)", "s = add(c r)")
    root = ElementTree.fromstring(draw(net))
    boxes = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "box"]
    assert len(boxes) == 4


def test_hostile_names_are_escaped() -> None:
    evil = '<script>alert(1)</script>"&'
    net = network(f"{evil} = relu(x)", name=evil)
    svg = draw(net, title=evil)
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", svg)


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("a = conv 8 5 2(x)", "conv 5×5, stride 2"),
        ("a = conv 8 1(x)", "conv 1×1"),
        ("a = maxpool 2(x)", "maxpool 2×2"),
        ("a = avgpool 3 1(x)", "avgpool 3×3, stride 1"),
        ("a = add(x x)", "+"),
        ("a = concat(x x)", "++"),
    ],
)
def test_labels_say_what_is_not_as_usual(line: str, label: str) -> None:
    assert label in texts(draw(network(line)))


def test_a_network_comes_back_from_plain_data() -> None:
    import json

    again = from_plain(json.loads(json.dumps(to_plain(RESIDUAL))))
    assert again == RESIDUAL
