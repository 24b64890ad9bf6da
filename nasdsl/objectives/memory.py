"""How much memory a network takes: its activations, and its checkpoint on disk."""

from __future__ import annotations

import json

import torch

from nasdsl.graph.network import INPUT, Network
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricRequest

_BYTES = {"float": 4, "int": 8}
_FREE = frozenset({"identity", "first", "flatten", "take_token"})
"""Operations whose result is their operand, or a view of it."""


def activation_memory(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Bytes of activations: the peak of inference, or all that training keeps."""
    network = candidate.graph()
    count = kept if request["training"] else peak
    return float(request["batch"] * count(network)), None


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


def checkpoint_bytes(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Bytes of the safetensors file of the network's weights and buffers."""
    return float(checkpoint_size(candidate.graph())), None


def checkpoint_size(network: Network) -> int:
    """As :func:`checkpoint_bytes`, from the shapes alone: no weight is drawn."""
    from nasdsl.compiler import compile_network

    with torch.device("meta"):
        state = compile_network(network).state_dict()
    # The format: 8 bytes, a JSON header padded to a multiple of 8, then the tensors, those of
    # the widest type first, and by name.
    names = sorted(state, key=lambda name: (-state[name].element_size(), name))
    header, end = {}, 0
    for name in names:
        tensor = state[name]
        begin, end = end, end + tensor.numel() * tensor.element_size()
        kind = "I64" if tensor.dtype == torch.int64 else "F32"
        header[name] = {
            "dtype": kind, "shape": list(tensor.shape), "data_offsets": [begin, end],
        }  # fmt: skip
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return 8 + -(-len(text) // 8) * 8 + end
