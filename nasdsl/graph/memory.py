"""How many bytes the results of a network's operations take."""

from __future__ import annotations

from nasdsl.graph.network import INPUT, Network

_BYTES = {"float": 4, "int": 8}
_FREE = frozenset({"identity", "first", "flatten", "take_token"})
"""Operations whose result is their operand, or a view of it."""


def peak(network: Network) -> int:
    """Most bytes of results alive at once for one sample, nodes computed in their order.

    A result lives from its computation until its last user is computed; the inputs and the
    outputs live throughout. Operands and result of an operation are alive together.
    """
    owner = _owners(network)
    size = {node.id: _size(network, node.id) for node in network.nodes}
    last: dict[str, int] = {}
    for place, node in enumerate(network.nodes):
        for operand in node.inputs:
            last[owner[operand]] = place
    for id in (*network.outputs, *(node.id for node in network.inputs)):
        last[owner[id]] = len(network.nodes)
    alive = highest = 0
    ends: dict[int, list[str]] = {}
    for id, place in last.items():
        ends.setdefault(place, []).append(id)
    for place, node in enumerate(network.nodes):
        if owner[node.id] == node.id:
            alive += size[node.id]
            highest = max(highest, alive)
            if node.id not in last:
                alive -= size[node.id]
        alive -= sum(size[id] for id in ends.get(place, ()))
    return highest


def kept(network: Network) -> int:
    """Bytes of all results for one sample, views counted once: what a backward pass may need."""
    owner = _owners(network)
    return sum(_size(network, n.id) for n in network.nodes if owner[n.id] == n.id)


def _owners(network: Network) -> dict[str, str]:
    """The node whose memory a node's result is in, by id."""
    owner: dict[str, str] = {}
    for node in network.nodes:
        shares = node.op in _FREE and node.op != INPUT
        owner[node.id] = owner[node.inputs[0]] if shares else node.id
    return owner


def _size(network: Network, id: str) -> int:
    type_ = network.by_id[id].type
    size = _BYTES[type_.dtype]
    for length in type_.shape:
        size *= length
    return size
