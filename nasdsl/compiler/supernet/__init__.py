"""Supernets: one graph module for a whole space."""

from __future__ import annotations

from typing import Literal

from nasdsl.compiler.build import compile_network
from nasdsl.compiler.module import CompiledNetwork
from nasdsl.compiler.supernet.mixed import MixedSupernet, compile_mixed
from nasdsl.compiler.supernet.recalibrate import recalibrate
from nasdsl.compiler.supernet.relaxation import KINDS, Kind, Relaxation
from nasdsl.compiler.supernet.sandwich import extreme, sandwich
from nasdsl.compiler.supernet.switched import SwitchedSupernet, compile_switched
from nasdsl.diagnostics import problem, suggestion
from nasdsl.space import Architecture, Space

Supernet = MixedSupernet | SwitchedSupernet

__all__ = [
    "MixedSupernet",
    "Relaxation",
    "Supernet",
    "SwitchedSupernet",
    "compile_supernet",
    "extract",
    "extreme",
    "recalibrate",
    "sandwich",
]


def compile_supernet(
    space: Space,
    kind: Literal["mixed", "path", "elastic"] = "mixed",
    *,
    relaxation: Kind | None = "softmax",
    transform: bool = True,
    seed: int = 0,
) -> Supernet:
    """One GraphModule for a whole space.

    ``mixed``: every decision is the weighted sum of its alternatives, by learned weights under
    a ``relaxation`` (softmax, gumbel, hard), or for ``None`` by a dictionary of vectors that is
    its last argument. ``path``: one path at a time, with modules shared by architectures that
    have a node with equal settings. ``elastic``: one path at a time, with a node's weights
    shared by all its sizes; ``transform`` puts a learned matrix between window sizes.

    Raises a diagnostic for a decision that the kind does not support.
    """
    if relaxation is not None and relaxation not in KINDS:
        near = suggestion(relaxation, KINDS) or f"; one of {', '.join(KINDS)}"
        raise problem("NAS818", f"there is no relaxation '{relaxation}'{near}")
    if kind == "mixed":
        return compile_mixed(space, relaxation, seed)
    if kind in ("path", "elastic"):
        return compile_switched(space, kind == "elastic", transform, seed)
    near = suggestion(kind, ("mixed", "path", "elastic")) or "; one of mixed, path, elastic"
    raise problem("NAS818", f"there is no kind of supernet '{kind}'{near}")


def extract(supernet: Supernet, architecture: Architecture) -> CompiledNetwork:
    """One architecture of a supernet as a network of its own, with copies of its weights.

    It computes what the supernet computes on that path, on the supernet's device and in its
    mode. Raises a diagnostic for an architecture of another space.
    """
    network = architecture.network
    states = (
        supernet.state_of(architecture)
        if isinstance(supernet, MixedSupernet)
        else supernet.state_of(network)
    )
    alone = compile_network(network)
    assert isinstance(alone, CompiledNetwork)
    for id, place in alone.meta["paths"].items():
        if place.module is not None:
            alone.get_submodule(place.module).load_state_dict(states[id])
    tensor = next(iter(supernet.parameters()), None)
    if tensor is not None:
        alone.to(tensor.device, tensor.dtype)
    return alone.train(supernet.training)
