"""Weights carried along an edit: from a trained network to the one that the edit makes of it.

Nodes that are the same keep their weights. Where the new network can compute what the old one
did, it starts by computing it: a window grows by zeros around it, a width by channels that
nothing reads yet, a depth by layers that change nothing (Net2Net, Chen et al. 2016; network
morphism, Wei et al. 2016). All else starts fresh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from nasdsl.compiler.build import compile_network
from nasdsl.compiler.correspondence import How, Preserved, correspond
from nasdsl.graph.network import Network, Node

State = dict[str, Tensor]


@dataclass(frozen=True)
class Carried:
    """The state of the new network, and how each of its nodes with a module came by its own.

    ``how`` by id: ``exact`` unchanged; ``grown`` the old in the middle, or at the first
    channels, of a larger one; ``cut`` the middle or first of the old; ``identity`` and ``zero``
    for layers that change nothing at first; ``fresh`` drawn anew. ``preserves``: whether the
    new network computes what the old one did: ``always``, only in ``evaluation`` (norms use
    the statistics of the batch in training), or ``no``.
    """

    state: State
    how: Mapping[str, How]
    preserves: Preserved


def carry(
    old_module: fx.GraphModule, old_network: Network, new_network: Network, seed: int = 0
) -> State:
    """The state dictionary with which a compiled ``new_network`` goes on from an old one.

    ``old_module`` is ``old_network``, compiled; ``seed`` is that of fresh weights, which are
    those of ``compile_network(new_network, seed)``. Tensors are copies, on the old device.
    """
    return carried(old_module, old_network, new_network, seed).state


def carried(
    old_module: fx.GraphModule, old_network: Network, new_network: Network, seed: int = 0
) -> Carried:
    """As :func:`carry`, with how each node came by its weights."""
    new_module = compile_network(new_network, seed)
    found = correspond(old_network, new_network)
    state = {name: tensor.clone() for name, tensor in new_module.state_dict().items()}
    old_state = old_module.state_dict()
    for id, how in found.how.items():
        at = new_module.meta["paths"][id].module
        mine = {n: t for n, t in state.items() if n.startswith(f"{at}.")}
        if how in ("exact", "grown", "cut"):
            source = old_module.meta["paths"][found.sources[id]].module
            for name, tensor in mine.items():
                old = old_state[f"{source}{name[len(at) :]}"]
                state[name] = old.clone() if how == "exact" else _moved(old, tensor)
        elif how == "identity":
            state |= _identity(mine, new_network.by_id[id])
        elif how == "zero":
            state |= _silent(mine)
    device = next((t.device for t in old_state.values()), torch.device("cpu"))
    return Carried({n: t.to(device) for n, t in state.items()}, found.how, found.preserves)


def _moved(old: Tensor, new: Tensor) -> Tensor:
    """The old tensor inside the new one, or the part of it that fits.

    Old channels ignore new ones, and windows are zero around the old window; new channels are
    fresh.
    """
    if old.dim() == 0:
        return old.clone()
    made = new.clone()
    rows = min(old.shape[0], new.shape[0])
    if old.dim() == 1:
        made[:rows] = old[:rows]
        return made
    columns = min(old.shape[1], new.shape[1])
    made[:rows] = 0
    into, out_of = _middles(new.shape[2:], old.shape[2:])
    made[(slice(rows), slice(columns), *into)] = old[(slice(rows), slice(columns), *out_of)]
    return made


def _middles(new: torch.Size, old: torch.Size) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The places of a window that two sizes share, in each of them."""
    into, out_of = [], []
    for wide, narrow in zip(new, old, strict=True):
        size = min(wide, narrow)
        into.append(slice((wide - size) // 2, (wide - size) // 2 + size))
        out_of.append(slice((narrow - size) // 2, (narrow - size) // 2 + size))
    return tuple(into), tuple(out_of)


def _identity(state: Mapping[str, Tensor], node: Node) -> State:
    """Weights of one convolution, linear map or norm under which it gives back its operand."""
    made: State = {}
    for name, tensor in state.items():
        last = name.rpartition(".")[2]
        if node.op == "bn":
            # In evaluation a norm divides by sqrt(1 + eps), which its scale makes good.
            scale = math.sqrt(1 + node.settings["eps"]) if last == "weight" else 1.0
            zero = last in ("bias", "running_mean", "num_batches_tracked")
            made[name] = torch.zeros_like(tensor) if zero else torch.full_like(tensor, scale)
        elif last == "bias":
            made[name] = torch.zeros_like(tensor)
        elif tensor.dim() == 2:
            made[name] = torch.eye(len(tensor), dtype=tensor.dtype)
        else:
            groups = tensor.shape[0] // tensor.shape[1]
            made[name] = torch.nn.init.dirac_(torch.empty_like(tensor), groups)
    return made


def _silent(state: Mapping[str, Tensor]) -> State:
    """Weights under which a layer gives zeros: its last scale and shift, or its last weight."""
    weights = [name for name in state if name.endswith("weight")]
    last = weights[-1].rpartition(".")[0]
    named = (f"{last}.weight", f"{last}.bias")
    return {name: torch.zeros_like(state[name]) for name in named if name in state}
