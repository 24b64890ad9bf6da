"""A network as plain data (JSON), for those that no text describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasdsl.graph.network import Network, Node
from nasdsl.operations.operation import Cost, TensorType


def to_plain(network: Network) -> dict[str, Any]:
    """The network as JSON values; places in the text are left out."""
    return {
        "name": network.name,
        "nodes": [
            {
                "id": node.id,
                "op": node.op,
                "settings": {k: _plain(v) for k, v in node.settings.items()},
                "inputs": list(node.inputs),
                "shape": list(node.type.shape),
                "dtype": node.type.dtype,
                "params": node.cost.params,
                "macs": node.cost.macs,
            }
            for node in network.nodes
        ],
        "outputs": list(network.outputs),
    }


def from_plain(data: Mapping[str, Any]) -> Network:
    """The network that :func:`to_plain` wrote.

    Raises:
        KeyError, TypeError: the data are not of that form.
    """
    nodes = tuple(
        Node(
            entry["id"],
            entry["op"],
            {k: tuple(v) if isinstance(v, list) else v for k, v in entry["settings"].items()},
            tuple(entry["inputs"]),
            TensorType(tuple(entry["shape"]), entry["dtype"]),
            Cost(entry["params"], entry["macs"]),
        )
        for entry in data["nodes"]
    )
    return Network(nodes, tuple(data["outputs"]), data["name"])


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
