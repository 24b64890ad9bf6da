"""Whether a network looks at its input at all."""

from __future__ import annotations

from nasdsl.graph.live import ZERO
from nasdsl.graph.network import INPUT, Network


def is_constant(network: Network) -> bool:
    """Whether no output depends on an input, so that samples have nothing to teach it."""
    depends: set[str] = set()
    for node in network.nodes:
        if node.op == INPUT or (node.op != ZERO and not depends.isdisjoint(node.inputs)):
            depends.add(node.id)
    return depends.isdisjoint(network.outputs)
