"""The graph of one network: operations with resolved settings, types, costs and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from nasdsl.diagnostics import Span
from nasdsl.operations.operation import Cost, TensorType

if TYPE_CHECKING:
    import networkx as nx

INPUT = "input"


class Node(NamedTuple):
    """One operation of a network.

    Attributes:
        id: its path in the text, unique in the network (``Cell@1[0].n[3].2.conv``).
        op: the operation's name; ``input`` for an input of the network.
        settings: all settings, defaults filled in, in the operation's order.
        inputs: ids of the operands, by port.
        type: type of the result, without the batch.
        cost: learned parameters and multiply-accumulates of one sample.
        span: the place in the text; it does not count for equality.
    """

    id: str
    op: str
    settings: Mapping[str, Any]
    inputs: tuple[str, ...]
    type: TensorType
    cost: Cost = Cost()
    span: Span | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self[:-1] == other[:-1]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.id, self.op, self.inputs))


@dataclass(frozen=True)
class Network:
    """A directed acyclic graph of operations, in topological order.

    Attributes:
        nodes: the nodes, inputs of the network included, operands before their users.
        outputs: ids of the results, in the order of the declared outputs.
        name: the name of the space it came from.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    name: str = "network"

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """The nodes by their id."""
        return {node.id: node for node in self.nodes}

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The input nodes."""
        return tuple(node for node in self.nodes if node.op == INPUT)

    @cached_property
    def params(self) -> int:
        """Learned parameters."""
        return sum(node.cost.params for node in self.nodes)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one sample (1 MAC = 2 FLOPs)."""
        return sum(node.cost.macs for node in self.nodes)

    def to_networkx(self) -> nx.MultiDiGraph[str]:
        """The network as a networkx graph.

        An edge runs from operand to user and its key is the input port, so that
        ``add(x, x)`` keeps both edges. A node carries ``op, settings, type, shape, params,
        macs, span``; the graph carries ``name, inputs, outputs``.
        """
        import networkx as nx  # takes longer to import than most spaces to check

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph(
            name=self.name, inputs=tuple(n.id for n in self.inputs), outputs=self.outputs
        )
        for node in self.nodes:
            graph.add_node(
                node.id,
                op=node.op,
                settings=dict(node.settings),
                type=node.type,
                shape=node.type.shape,
                params=node.cost.params,
                macs=node.cost.macs,
                span=node.span,
            )
        for node in self.nodes:
            for port, operand in enumerate(node.inputs):
                graph.add_edge(operand, node.id, key=port)
        return graph

    @classmethod
    def from_networkx(cls, graph: nx.MultiDiGraph[str]) -> Network:
        """The network that :meth:`to_networkx` wrote, its nodes in topological order."""
        import networkx as nx

        nodes = []
        for name in nx.lexicographical_topological_sort(
            graph, key={n: i for i, n in enumerate(graph)}.__getitem__
        ):
            data = graph.nodes[name]
            ports = sorted((port, operand) for operand, _, port in graph.in_edges(name, keys=True))
            nodes.append(
                Node(
                    name,
                    data["op"],
                    dict(data["settings"]),
                    tuple(operand for _, operand in ports),
                    data["type"],
                    Cost(data["params"], data["macs"]),
                    data.get("span"),
                )
            )
        return cls(tuple(nodes), tuple(graph.graph["outputs"]), graph.graph.get("name", "network"))
