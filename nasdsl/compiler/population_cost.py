"""What a fused operation is worth, measured once in a process, and what a population holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.compiler.code import CODE
from nasdsl.compiler.population_wide import pick, takes_shared, widen
from nasdsl.compiler.recipe import Module
from nasdsl.graph.network import INPUT, Network
from nasdsl.operations.operation import TensorType

GAIN = 1.1
"""A fused operation has to be so many times as fast to be worth the copies around it."""
REPEATS = 3
FLOAT_BYTES = 4
STATES = 4
"""Copies of a parameter in a training: itself, its gradient, and at most two moments."""
ACTIVATIONS = 2.5
"""Bytes kept for the backward pass, and gradients at work, by byte of results."""


@dataclass(frozen=True, slots=True)
class Use:
    """An operation in its place: what the time of its fused form depends on."""

    op: str
    settings: tuple[tuple[str, Any], ...]
    input: TensorType
    output: TensorType
    members: int
    shared: bool
    aligned: bool
    batch: int
    device: str
    threads: int


def pays(use: Use) -> bool:
    """Whether the fused form is faster, forward and backward, by a measurement kept in cache."""
    power = 1 << (use.members.bit_length() - 1)
    return gain(replace(use, members=power)) > GAIN


def gain(use: Use) -> float:
    """Time of the members' operations one after another, by the time of the fused one."""
    return _gain(use)


@lru_cache(maxsize=4096)
def _gain(use: Use) -> float:
    recipe = CODE[use.op](dict(use.settings), (use.input,), use.output)
    assert isinstance(recipe, Module), "only operations with weights are measured"
    k = use.members
    device = torch.device(use.device)
    with torch.random.fork_rng([]):
        single = [_followed(recipe.build(), use.output) for _ in range(k)]
        shared = use.shared and takes_shared(single[0][0])
        wide = nn.Sequential(
            widen([s[0] for s in single], shared),
            *(widen([s[i] for s in single]) for i in range(1, len(single[0]))),
        ).to(device)
        alone = single[0].to(device)
        x = torch.randn(use.batch, *use.input.shape).to(device)
    flat = (1,) * len(use.input.shape[1:])
    stacked = x if shared else x.repeat(1, k, *flat)
    turned = [*range(1, k), 0]

    def fused() -> Tensor:
        given = stacked.detach().requires_grad_()
        value: Tensor = wide(given if use.aligned or shared else pick(given, turned, k))
        return value

    def apart() -> Tensor:
        value: Tensor = alone(x.detach().requires_grad_())
        return value

    return k * _seconds(apart, device) / _seconds(fused, device)


def _followed(module: nn.Module, output: TensorType) -> nn.Sequential:
    """With what commonly stands behind it, which is then fused too."""
    if len(output.shape) == 3:
        return nn.Sequential(module, nn.BatchNorm2d(output.channels), nn.ReLU())
    return nn.Sequential(module, nn.ReLU())


def _seconds(run: Callable[[], Tensor], device: torch.device) -> float:
    # Where one thread does it all, its own time is not disturbed by other processes.
    own = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if own else time.perf_counter
    best = float("inf")
    for _ in range(REPEATS + 1):  # the first one warms up, and does no harm to a minimum
        began = clock()
        torch.autograd.backward(run().sum())
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, clock() - began)
    return best


# Memory


def training_bytes(network: Network, batch: int) -> int:
    """About how much memory the training of a network takes, in bytes.

    Parameters with gradients and moments, and the results of its operations, which the
    backward pass needs again. Copies made where fused and other operations meet are in the
    factor.
    """
    results = sum(node.type.size for node in network.nodes if node.op != INPUT)
    return round(FLOAT_BYTES * (STATES * network.params + ACTIVATIONS * batch * results))


def split(networks: Sequence[Network], batch: int, limit: int) -> list[list[int]]:
    """Indices of networks, in order, in as few runs as fit into ``limit`` bytes each.

    A network that does not fit by itself makes a run of its own.
    """
    runs: list[list[int]] = []
    held = 0
    for index, network in enumerate(networks):
        size = training_bytes(network, batch)
        if not runs or held + size > limit:
            runs.append([])
            held = 0
        runs[-1].append(index)
        held += size
    return runs


def available_bytes(device: torch.device | str = "cpu") -> int:
    """Half of the memory that is free on a device, in bytes."""
    device = torch.device(device)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free) // 2
    import psutil

    return int(psutil.virtual_memory().available) // 2
