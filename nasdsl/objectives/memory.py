"""How much memory a network takes: its activations, and its checkpoint on disk."""

from __future__ import annotations

import json

import torch

from nasdsl.graph.memory import kept, peak
from nasdsl.graph.network import Network
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricRequest


def activation_memory(candidate: Candidate, request: MetricRequest) -> tuple[float, None]:
    """Bytes of activations: the peak of inference, or all that training keeps."""
    network = candidate.graph()
    count = kept if request["training"] else peak
    return float(request["batch"] * count(network)), None


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
