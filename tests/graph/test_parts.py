"""Parts of networks, and networks with parts folded: what is kept, and what is not."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.drawing import draw
from nasdsl.graph.network import INPUT, Network
from nasdsl.graph.parts import fold_choices, fold_places, part, places

SPACES = Path(__file__).resolve().parents[2] / "spaces"


@pytest.fixture(scope="module")
def darts() -> nasdsl.Architecture:
    return nasdsl.load(SPACES / "darts.nas").sample(7)


def sound(network: Network) -> None:
    """Operands come before their users, ids are unique, outputs are there."""
    seen: set[str] = set()
    for node in network.nodes:
        assert set(node.inputs) <= seen
        assert node.id not in seen
        seen.add(node.id)
    assert network.outputs and set(network.outputs) <= seen


def test_a_cell_has_its_two_inputs_and_its_one_output(darts: nasdsl.Architecture) -> None:
    cell = part(darts.network, "Normal")
    sound(cell)
    assert len(cell.inputs) == 2 and len(cell.outputs) == 1
    whole = {n.id: n for n in darts.network.nodes}
    for node in cell.nodes:
        if node.op != INPUT:
            assert node.op == whole[node.id].op and node.cost == whole[node.id].cost
            assert ".Normal." in node.id


def test_a_folded_cell_has_the_chosen_alternatives_as_boxes(darts: nasdsl.Architecture) -> None:
    cell = fold_choices(part(darts.network, "Reduction"), darts.decisions)
    sound(cell)
    boxes = [n.op for n in cell.nodes if n.op not in (INPUT, "add", "concat")]
    single = [
        str(v)
        for name, v in darts.decisions.items()
        if name.startswith("Reduction.") and isinstance(v, str)
    ]
    assert boxes
    # A skip connection of stride 1 is no operation, and dead parts are gone.
    assert sorted(boxes) == sorted(b for b in single if b in boxes)
    assert set(single) - set(boxes) <= {"skip_connect"}


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("darts.nas", ("Normal", "Reduction", "Fit")),
        ("nasbench201.nas", ("Cell",)),
        ("segmenter.nas", ("Conv", "Join")),
        ("mobilenetv3_ofa.nas", ("Stage",)),
        ("vit.nas", ("Layer",)),
    ],
)
def test_folding_keeps_costs_types_and_reachability(file: str, names: tuple[str, ...]) -> None:
    network = nasdsl.load(SPACES / file).sample(5).network
    folded = fold_places(network, names)
    sound(folded)
    assert len(folded.nodes) < len(network.nodes)
    assert folded.params == network.params and folded.macs == network.macs
    ends = [network.by_id[o].type for o in network.outputs]
    assert [folded.by_id[o].type for o in folded.outputs] == ends
    graph = nx.DiGraph((o, n.id) for n in folded.nodes for o in n.inputs)
    assert nx.is_directed_acyclic_graph(graph)
    assert nx.has_path(graph, folded.inputs[0].id, folded.outputs[0])
    drawn = draw(folded)
    for name in names:
        assert f">{name}<" in drawn


def test_places_are_the_names_in_the_paths(darts: nasdsl.Architecture) -> None:
    assert {"s", "Normal", "Reduction", "Fit", "ConvBn"} <= set(places(darts.network))


def test_a_cell_that_vanished_folds_to_nothing() -> None:
    space = nasdsl.load(SPACES / "nasbench201.nas")
    through = dict.fromkeys(space[0].decisions, "none") | {"Cell.n[3].0": "skip_connect"}
    network = space.architecture(through).network
    assert "Cell" not in places(network)
    assert fold_places(network, ["Cell"]).nodes == network.nodes


def test_an_unknown_part_is_told_with_the_nearest_name(darts: nasdsl.Architecture) -> None:
    with pytest.raises(DiagnosticError, match=r"NAS906.*did you mean 'Normal'"):
        part(darts.network, "Norml")
