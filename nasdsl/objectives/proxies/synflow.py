"""SynFlow: the sum over all paths of the product of their absolute weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from nasdsl.compiler.modules.mobile import SqueezeExcite
from nasdsl.objectives.proxies.outcome import Undefined
from nasdsl.objectives.proxies.subject import ACTIVATIONS, Subject, sensitivities

BYPASSED: tuple[type[nn.Module], ...] = (
    *ACTIVATIONS, _NormBase, nn.LayerNorm, nn.GroupNorm, _DropoutNd, SqueezeExcite,
)  # fmt: skip
"""With weights and inputs at least zero a ReLU is the identity; the others are made so, or
the result would not be a sum over paths."""


def synflow(subject: Subject) -> float:
    """``ln sum_l sum |W_l dR/dW_l|`` in float64; no data and one sample.

    Raises:
        Undefined: no path leads from the input to the output, or the sum exceeds float64.
    """
    module = subject.module
    x = torch.ones_like(subject.x[:1], dtype=torch.float64)
    if not subject.x.is_floating_point():
        x = torch.zeros_like(subject.x[:1])
    with bypassed(module):
        named = {n: p.detach().double().abs() for n, p in module.named_parameters()}
        buffers = {
            n: b.double().abs() if b.is_floating_point() else b for n, b in module.named_buffers()
        }
        names = _layer_weights(subject)
        for name in names:
            named[name].requires_grad_(True)
        output: Tensor = functional_call(module, named | buffers, (x,))
        weights = [named[name] for name in names]
        gradients = sensitivities(output.sum(), weights)
    with torch.no_grad():
        # The product of two numbers that float64 holds may exceed it where their sum of
        # logarithms does not; |W dR/dW| is at most R, so only R itself can.
        flows = [(w * g).abs().sum() for w, g in zip(weights, gradients, strict=True)]
        total = float(torch.stack(flows).sum())
    if total == 0:
        raise Undefined("no path leads from its input to its output")
    return math.log(total) if math.isfinite(total) else total


def _layer_weights(subject: Subject) -> list[str]:
    layers = {id(layer.get_parameter("weight")) for layer in subject.layers}
    # A layer inside a bypassed gate has no part in any path.
    return [n for n, p in subject.module.named_parameters() if id(p) in layers]


@contextmanager
def bypassed(module: nn.Module) -> Iterator[None]:
    """Identities stand in the places of :data:`BYPASSED` meanwhile."""
    replaced: list[tuple[nn.Module, str, nn.Module]] = []
    stand_in = nn.Identity()
    try:
        for parent in list(module.modules()):
            if isinstance(parent, BYPASSED):
                continue
            for name, child in parent.named_children():
                if isinstance(child, BYPASSED):
                    replaced.append((parent, name, child))
                    parent._modules[name] = stand_in
        yield
    finally:
        for parent, name, child in replaced:
            parent._modules[name] = child
