"""Networks as labelled graphs, compared by networkx instead of by fingerprints."""

from __future__ import annotations

import json
from collections.abc import Mapping

import networkx as nx
from networkx.algorithms.isomorphism import MultiDiGraphMatcher

from nasdsl.graph.network import INPUT, Network
from nasdsl.operations.table import OPERATIONS


def merged(network: Network) -> nx.MultiDiGraph[str]:
    """The network as a graph; operations without weights on the same operands are one."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    name: dict[str, str] = {}
    known: dict[object, str] = {}
    inputs = 0
    for node in network.nodes:
        operands = [name[i] for i in node.inputs]
        fact = OPERATIONS.get(node.op)
        free = fact is not None and fact.commutative
        label = f"{node.op} {json.dumps(dict(node.settings), default=str)} {node.type}"
        if node.op == INPUT:
            label = f"input {inputs} {node.type}"
            inputs += 1
        elif node.cost.params == 0 and node.op != "dropout":
            key = (label, tuple(sorted(operands)) if free else tuple(operands))
            if key in known:
                name[node.id] = known[key]
                continue
            known[key] = node.id
        name[node.id] = node.id
        graph.add_node(node.id, label=label, ends=[])
        for port, operand in enumerate(operands):
            graph.add_edge(operand, node.id, port="any" if free else port)
    for place, output in enumerate(network.outputs):
        graph.nodes[name[output]]["ends"].append(place)
    return graph


def mapping(a: Network, b: Network) -> Mapping[str, str] | None:
    """An isomorphism from the nodes of one network to another's, or none."""

    def nodes(x: dict[str, object], y: dict[str, object]) -> bool:
        return x["label"] == y["label"] and x["ends"] == y["ends"]

    def edges(x: dict[int, dict[str, object]], y: dict[int, dict[str, object]]) -> bool:
        return sorted(str(e["port"]) for e in x.values()) == sorted(
            str(e["port"]) for e in y.values()
        )

    matcher = MultiDiGraphMatcher(merged(a), merged(b), node_match=nodes, edge_match=edges)
    return dict(matcher.mapping) if matcher.is_isomorphic() else None
