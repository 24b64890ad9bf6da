"""What a fused operation is worth, measured once in a process, and what a population holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
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
WHOLE_GAIN = 1.05
"""A pass of a fused population has to be so many times as fast as those of its members."""
REPEATS = 3
ROUNDS = 6
"""Passes of each way that decide about the whole."""
CACHE = 1 << 20
"""Bytes that a fused result may take on a CPU, so that it and its operand stay in the cache of
a core: at 64 images of 16 x 8 x 8, 4 members at once were 1.2 times as fast as one, 25 were not."""
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
    # The first one warms up, and does no harm to a minimum.
    return min(_step_seconds(run, device) for _ in range(REPEATS + 1))


def _step_seconds(run: Callable[[], Tensor], device: torch.device) -> float:
    # Where one thread does it all, its own time is not disturbed by other processes.
    own = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if own else time.perf_counter
    began = clock()
    output = run()
    if output.requires_grad:
        torch.autograd.backward(output.sum())
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - began


def members_at_once(networks: Sequence[Network], batch: int, device: torch.device | str) -> int:
    """How many members may be fused with each other: on a CPU as many as its caches hold."""
    if torch.device(device).type != "cpu":
        return len(networks)
    largest = max(n.type.size for network in networks for n in network.nodes)
    return max(1, CACHE // (FLOAT_BYTES * batch * largest))


def faster(
    together: nn.Module,
    apart: Sequence[nn.Module],
    inputs: Sequence[TensorType],
    batch: int,
    device: torch.device | str = "cpu",
) -> bool:
    """Whether one forward and backward pass of a population is faster than those of its members.

    Timed in turns on this device, where the modules are moved. Their gradients, statistics and
    modes change; torch's global generators are as before afterwards.
    """
    device = torch.device(device)
    draw = torch.Generator().manual_seed(0)
    given = [
        (
            torch.randn(batch, *t.shape, generator=draw)
            if t.dtype == "float"
            else torch.zeros(batch, *t.shape, dtype=torch.long)
        ).to(device)
        for t in inputs
    ]
    modules = [together, *apart]
    for module in modules:
        module.to(device).train()
    best = [float("inf")] * 2
    with torch.random.fork_rng([device.index or 0] if device.type == "cuda" else []):
        for _ in range(ROUNDS):  # the first one warms up, and does no harm to a minimum
            for way, some in enumerate(([together], apart)):
                seconds = sum(_step_seconds(partial(module, *given), device) for module in some)
                best[way] = min(best[way], seconds)
    return best[1] > WHOLE_GAIN * best[0]


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
