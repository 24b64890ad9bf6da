"""Networks outside a declared space: they are their graph, and are known by its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import problem
from nasdsl.graph.fingerprint import fingerprint
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.graph.plain import from_plain, to_plain
from nasdsl.operations.operation import Operation, ShapeError
from nasdsl.operations.table import OPERATIONS
from nasdsl.space.subject import Networked

if TYPE_CHECKING:
    from nasdsl.space.space import Space


class Outside(Networked):
    """A network that a graph rewrite led to. It has no rank and no decisions."""

    rank: None = None
    key: None = None
    network: Network

    def __init__(self, space: Space, network: Network):
        self.space = space
        self.network = network
        self.decisions: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return f"<outside {self.space.name}: {self.fingerprint}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outside) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """The digest of the canonical network."""
        return fingerprint(self.network, self.space.operations)

    @property
    def declared_params(self) -> int:
        """Learned parameters: all that is there is written."""
        return self.network.params

    @property
    def declared_macs(self) -> int:
        """Multiply-accumulates: all that is there is written."""
        return self.network.macs

    def to_json(self) -> dict[str, Any]:
        """The network as plain data; ``space.from_json`` reads it back."""
        return {
            "space": self.space.name,
            "rank": None,
            "decisions": None,
            "key": None,
            "fingerprint": self.fingerprint,
            "params": self.params,
            "macs": self.macs,
            "network": to_plain(self.network),
        }


def read_network(space: Space, data: Any) -> Outside:
    """The network of JSON data, its types and costs worked out anew.

    Raises :class:`~nasdsl.diagnostics.DiagnosticError` where it is no network that fits the
    space's input and output.
    """
    try:
        written = from_plain(data)
        nodes = retyped(written.nodes, space.operations)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise problem("NAS318", f"this is no network: {type(error).__name__}: {error}") from None
    except ShapeError as error:
        raise problem("NAS318", f"this is no network: {error}") from None
    network = Network(nodes, written.outputs, written.name)
    inputs = tuple(n.type for n in network.inputs)
    ends = tuple(network.by_id[o].type for o in network.outputs if o in network.by_id)
    if inputs != space.inputs or ends != (space.output,):
        shown = f"{', '.join(map(str, inputs))} to {', '.join(map(str, ends))}"
        wanted = f"{', '.join(map(str, space.inputs))} to {space.output}"
        raise problem("NAS318", f"this network goes from {shown}, and '{space.name}' from {wanted}")
    return Outside(space, network)


def retyped(
    nodes: tuple[Node, ...], operations: Mapping[str, Operation] = OPERATIONS
) -> tuple[Node, ...]:
    """Nodes with types and costs worked out from their operands, in topological order.

    Raises :class:`~nasdsl.operations.operation.ShapeError` where operands do not fit.
    """
    types = {}
    made = []
    for node in nodes:
        if node.op == INPUT:
            types[node.id] = node.type
            made.append(node)
            continue
        operation = operations.get(node.op)
        if operation is None:
            raise ShapeError(f"there is no operation '{node.op}'")
        operands = tuple(types[i] for i in node.inputs)
        if node.op == "zero":
            types[node.id] = node.type
            made.append(node)
            continue
        out = operation.shape(node.settings, operands)
        types[node.id] = out
        cost = operation.cost(node.settings, operands, out)
        made.append(Node(node.id, node.op, node.settings, node.inputs, out, cost, node.span))
    return tuple(made)
