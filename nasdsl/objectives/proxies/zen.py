"""Zen-score: how expressive a network of random weights is before its global pooling."""

from __future__ import annotations

import math
import operator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from nasdsl.objectives.proxies.outcome import Undefined
from nasdsl.objectives.proxies.subject import ACTIVATIONS, Subject
from nasdsl.seeding import derive

SHIFT = 0.01
_REDUCTIONS = (torch.mean, torch.amax, torch.flatten, torch.select, operator.getitem)
_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool1d, nn.Flatten)


@torch.no_grad()
def zen(subject: Subject) -> float:
    """``ln mean_n sum |f(x) - f(x + 0.01 x')| + sum_BN ln sqrt(mean(running variance))``.

    Changes weights and buffers of the module, which the caller puts back.

    Raises:
        Undefined: the inputs are tokens, the graph cannot be had, or the features of random
            inputs are equal or not finite.
    """
    subject.differentiable()
    graph = subject.graph
    generator = torch.Generator().manual_seed(derive(subject.seed, "zen"))

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(like.device, like.dtype)

    norms = _redraw(graph, normal)
    x, shift = normal(subject.x), normal(subject.x)
    place = features(graph)
    first = _Until(graph, place).result(x)
    second = _Until(graph, place).result(x + SHIFT * shift)
    change = float((first - second).double().flatten(1).abs().sum(1).mean())
    if change == 0:
        raise Undefined("its features do not depend on its input")
    if not math.isfinite(change):
        raise Undefined("its features with random weights are not finite")
    scales = [math.log(math.sqrt(float(norm.double().mean()))) for norm in norms]
    return math.log(change) + math.fsum(scales)


def _redraw(graph: fx.GraphModule, normal: Any) -> list[Tensor]:
    """Standard normal weights, neutral normalizations; the running variances."""
    variances = []
    for part in graph.modules():
        if isinstance(part, _ConvNd | nn.Linear):
            part.weight.copy_(normal(part.weight))
            if part.bias is not None:
                part.bias.zero_()
        elif isinstance(part, _BatchNorm | nn.GroupNorm | nn.LayerNorm):
            if part.weight is not None:
                part.weight.fill_(1)
            if part.bias is not None:
                part.bias.zero_()
            if isinstance(part, _BatchNorm) and part.running_var is not None:
                part.reset_running_stats()
                variances.append(part.running_var)
    return variances


def features(graph: fx.GraphModule) -> fx.Node:
    """The result before global pooling: what the last reduction over places is taken of.

    Behind it only linear layers, activations and dropout may stand; where there is no such
    reduction it is what the trailing linear layers are applied to.
    """
    (node,) = graph.graph.output_node().all_input_nodes or (None,)
    if node is None:
        raise Undefined("its output does not depend on its input")
    found: fx.Node = node
    passed = (nn.Linear, _DropoutNd, *ACTIVATIONS)
    while found.all_input_nodes:
        (operand, *others) = found.all_input_nodes
        if others:
            return found
        if found.op == "call_function" and found.target in _REDUCTIONS:
            return operand
        part = graph.get_submodule(str(found.target)) if found.op == "call_module" else None
        if isinstance(part, _POOLS):
            return operand
        if not isinstance(part, passed):
            return found
        found = operand
    return found


class _Found(Exception):
    """Ends a pass at the node that was asked for."""


class _Until(fx.Interpreter):
    """Runs a graph up to one node."""

    def __init__(self, graph: fx.GraphModule, last: fx.Node):
        super().__init__(graph, garbage_collect_values=True)
        self._last = last
        self._result: Tensor | None = None

    def run_node(self, n: fx.Node) -> Any:
        """The result of a node."""
        result = super().run_node(n)
        if n is self._last:
            self._result = result
            raise _Found
        return result

    def result(self, x: Tensor) -> Tensor:
        """The result of the last node."""
        with suppress(_Found):
            self.run(x)
        assert self._result is not None
        return self._result
