"""The network and the batch that proxies look at, and how they leave the network as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.activation import (
    CELU,
    ELU,
    GELU,
    SELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from nasdsl.compiler.modules.sequence import OverTime, SequenceConvTranspose
from nasdsl.objectives.proxies.outcome import Undefined

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    ReLU, LeakyReLU, PReLU, ELU, CELU, SELU, GELU, SiLU, Mish, Hardswish, Hardtanh, Softplus,
    Sigmoid, Hardsigmoid, Tanh,
)  # fmt: skip
"""Elementwise functions; ``Hardtanh`` has ``ReLU6`` below it."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One network and one batch.

    Attributes:
        module: as initialized.
        x: inputs [N, ...] as the network takes them: float, or int64 tokens.
        y: targets [N, ...].
        seed: of everything random in a proxy.
    """

    module: nn.Module
    x: Tensor
    y: Tensor
    seed: int = 0

    @cached_property
    def layers(self) -> tuple[nn.Module, ...]:
        """Convolutions and linear layers, each once.

        Raises:
            Undefined: there is none.
        """
        found = tuple(m for m in self.module.modules() if isinstance(m, _ConvNd | nn.Linear))
        if not found:
            raise Undefined("the network has no convolution and no linear layer")
        return found

    @property
    def weights(self) -> list[Tensor]:
        """The weights of the layers."""
        return [layer.get_parameter("weight") for layer in self.layers]

    @cached_property
    def graph(self) -> fx.GraphModule:
        """The network as a graph module, its parts shared.

        Raises:
            Undefined: it is none, and torch cannot trace it.
        """
        if isinstance(self.module, fx.GraphModule):
            return self.module
        try:
            return fx.symbolic_trace(self.module)
        except Exception as error:  # whatever a foreign forward does with a symbolic input
            raise Undefined(f"its graph cannot be had: {error}") from error

    def differentiable(self) -> None:
        """Raises Undefined where the inputs are tokens."""
        if not self.x.is_floating_point():
            raise Undefined("its inputs are tokens, which have no derivative")


def channel_axis(layer: nn.Module) -> int:
    """The axis of the channels in the result of a convolution or linear layer."""
    return -1 if isinstance(layer, nn.Linear | OverTime | SequenceConvTranspose) else 1


def sensitivities(output: Tensor, tensors: Sequence[Tensor], keep: bool = False) -> list[Tensor]:
    """Gradients of a scalar; zeros where it does not depend on a tensor.

    ``keep`` makes them differentiable and keeps the graph.

    Raises:
        Undefined: it depends on nothing that can be varied.
    """
    if not output.requires_grad:
        raise Undefined("its output does not depend on its weights or input")
    found = torch.autograd.grad(
        output, tensors, create_graph=keep, retain_graph=True, allow_unused=True
    )
    return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]


@contextmanager
def preserved(module: nn.Module, seed: int, weights: bool) -> Iterator[None]:
    """Puts buffers and modes, and where told the weights, back as they were.

    Within it parameters require gradients, dropout is off, everything else is in training
    mode, and what draws from torch's global generator draws from the seed; the generator is
    afterwards as before.
    """
    buffers = [(b, b.clone()) for b in module.buffers()]
    saved = [(p, p.detach().clone()) for p in module.parameters()] if weights else []
    modes = [(m, m.training) for m in module.modules()]
    frozen = [p for p in module.parameters() if not p.requires_grad]
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    devices = [device.index or 0] if device.type == "cuda" else []
    try:
        training(module)
        for parameter in frozen:
            parameter.requires_grad_(True)
        with torch.random.fork_rng(devices), torch.enable_grad():
            torch.default_generator.manual_seed(seed)
            for index in devices:
                torch.cuda.default_generators[index].manual_seed(seed)
            yield
    finally:
        with torch.no_grad():
            for tensor, value in (*buffers, *saved):
                tensor.copy_(value)
        for parameter in frozen:
            parameter.requires_grad_(False)
        for part, mode in modes:
            part.training = mode


def training(module: nn.Module) -> None:
    """Training mode, without dropout."""
    module.train()
    for part in module.modules():
        if isinstance(part, _DropoutNd):
            part.training = False


@contextmanager
def last_statistics(module: nn.Module) -> Iterator[None]:
    """A pass within it in training mode leaves its batch's statistics as the running ones."""
    norms = [m for m in module.modules() if isinstance(m, _NormBase)]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.momentum = 1.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


@contextmanager
def fixed_statistics(module: nn.Module) -> Iterator[None]:
    """Within it, batch norms use their running statistics, so that samples are independent."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    modes = [m.training for m in norms]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm, mode in zip(norms, modes, strict=True):
            norm.training = mode
