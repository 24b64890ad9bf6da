"""Construction of modules from prototypes: as torch makes them, without the work per module.

A constructor of torch checks arguments, makes a dozen dictionaries through ``__setattr__`` and
allocates; a network has hundreds of modules of a few kinds. A prototype of each recipe is made
once, without memory; a module is a copy of its attributes with tensors of its own, drawn in the
order and by the formulas of torch's constructors, so that it equals one that torch made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.compiler.recipe import Module

CONTAINERS = (dict, list, set)


def construct(recipe: Module) -> nn.Module:
    """What ``recipe.build()`` gives, bit for bit and from the same draws."""
    return copied(recipe) if torch.get_default_device().type == "cpu" else recipe.build()


def copied(recipe: Module) -> nn.Module:
    """:func:`construct` where torch's default device is known to be the CPU.

    Asking for that device takes torch longer than copying a module without weights.
    """
    cls = recipe.cls
    draw = DRAWS.get(cls)
    if draw is None:
        return recipe.build()
    arguments = (*recipe.args, *recipe.kwargs.items())
    constructor: Callable[..., nn.Module] = cls
    try:
        prototype = _prototype(constructor, len(recipe.args), arguments, torch.get_default_dtype())
    except TypeError:  # an argument that is not hashable
        return recipe.build()
    module = cls.__new__(cls)
    state = module.__dict__
    state.update(prototype.attributes)
    for name, make in prototype.empty:
        state[name] = make()
    for name, container in prototype.filled:
        state[name] = container.copy()
    draw(module, state)
    return module


def draws(recipe: Module) -> bool:
    """Whether constructing it may take numbers from torch's global generator."""
    return DRAWS.get(recipe.cls, _uniform) is _uniform


@dataclass(frozen=True, slots=True)
class _Prototype:
    """The attributes of a module, and which of them are containers that each module has to itself.

    Most are dictionaries of hooks, empty: making one is much faster than copying it.
    """

    attributes: Mapping[str, Any]
    empty: tuple[tuple[str, type], ...]
    filled: tuple[tuple[str, Any], ...]


@lru_cache(maxsize=4096)
def _prototype(
    constructor: Callable[..., nn.Module],
    positional: int,
    arguments: tuple[Any, ...],
    dtype: torch.dtype,
) -> _Prototype:
    with torch.device("meta"):
        attributes = vars(constructor(*arguments[:positional], **dict(arguments[positional:])))
    containers = [(k, v) for k, v in attributes.items() if isinstance(v, CONTAINERS)]
    return _Prototype(
        attributes,
        tuple((k, type(v)) for k, v in containers if not v),
        tuple((k, v) for k, v in containers if v),
    )


def _uniform(module: nn.Module, state: dict[str, Any]) -> None:
    """Weights and biases of ``Linear`` and ``ConvNd``, uniform within 1 / sqrt(fan-in).

    torch writes the bound of the weights as that of He et al. (2015) for a leaky slope of
    sqrt(5); the rounding is kept.
    """
    parameters: dict[str, Tensor | None] = state["_parameters"]
    declared = parameters["weight"]
    assert declared is not None
    shape = declared.shape
    fan_in = math.prod(shape[1:])
    weight = torch.empty(shape)
    bound = math.sqrt(3.0) * (math.sqrt(2.0 / (1 + math.sqrt(5) ** 2)) / math.sqrt(fan_in))
    parameters["weight"] = nn.Parameter(weight.uniform_(-bound, bound))
    if parameters["bias"] is not None:
        bound = 1 / math.sqrt(fan_in)
        bias = torch.empty(shape[:1])
        parameters["bias"] = nn.Parameter(bias.uniform_(-bound, bound))


def _norm(module: nn.Module, state: dict[str, Any]) -> None:
    """Scale one and shift zero; the statistics of nothing seen."""
    parameters: dict[str, Tensor | None] = state["_parameters"]
    buffers: dict[str, Tensor] = state["_buffers"]
    size = buffers["running_mean"].shape
    if parameters["weight"] is not None:
        parameters["weight"] = nn.Parameter(torch.ones(size))
        parameters["bias"] = nn.Parameter(torch.zeros(size))
    buffers["running_mean"] = torch.zeros(size)
    buffers["running_var"] = torch.ones(size)
    buffers["num_batches_tracked"] = torch.zeros((), dtype=torch.long)


def _nothing(module: nn.Module, state: dict[str, Any]) -> None:
    """Modules without tensors."""


DRAWS: dict[type[nn.Module], Callable[[nn.Module, dict[str, Any]], None]] = {
    nn.Conv2d: _uniform,
    nn.Linear: _uniform,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    **dict.fromkeys(
        (
            nn.Module,
            nn.ReLU,
            nn.ReLU6,
            nn.LeakyReLU,
            nn.ELU,
            nn.GELU,
            nn.SiLU,
            nn.Hardswish,
            nn.Hardsigmoid,
            nn.Sigmoid,
            nn.Tanh,
            nn.AvgPool2d,
            nn.MaxPool2d,
            nn.Dropout,
        ),
        _nothing,
    ),
}
"""How each class fills its tensors; classes that are not here are constructed by themselves."""
