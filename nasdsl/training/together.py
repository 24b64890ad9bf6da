"""Many networks trained: at once where that is faster and fits, else one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from nasdsl.compiler.build import compile_network
from nasdsl.compiler.population import CompiledPopulation, compile_population
from nasdsl.compiler.population_cost import available_bytes, split
from nasdsl.graph.network import Network
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.history import Diverged, TrainResult
from nasdsl.training.loop import train
from nasdsl.training.population import member_losses, train_population
from nasdsl.training.settings import TrainSettings

TRIALS = 2
"""Steps of each way that are timed, after one that warms up."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network after its training: the module in eval mode, and what came of it."""

    module: fx.GraphModule
    outcome: TrainResult | Diverged


def train_networks(
    networks: Sequence[Network],
    data: Dataset,
    settings: TrainSettings,
    seed: int,
    seeds: int | Sequence[int] = 0,
    device: torch.device | str = "cpu",
    memory: int | None = None,
    together: bool | None = None,
) -> list[Trained]:
    """Trains networks on the same batches, each as :func:`nasdsl.training.loop.train` would.

    They are split, in order, into runs that are predicted to fit into memory. A run is trained
    as one population where that was faster in a few steps on copies, which costs about as much
    as those steps; results then differ from single trainings by rounding.

    Args:
        networks: with equal inputs and one output of equal type each.
        data: on the device.
        settings: of every training. With ``channels_last`` each is trained by itself.
        seed: of order, augmentation and dropout, the same for all.
        seeds: of the initial weights, one for all or one for each.
        device: where to train.
        memory: bytes that a run may take; half of what is free by default.
        together: ``True`` trains each run at once, ``False`` none; ``None`` measures.

    Raises:
        DiagnosticError: networks of different types (NAS811), or an operation without code.
    """
    device = torch.device(device)
    each = [*seeds] if isinstance(seeds, Sequence) else [seeds] * len(networks)
    batch = min(settings.batch, len(data.train))
    limit = available_bytes(device) if memory is None else memory
    found: list[Trained] = []
    for run in split(networks, batch, limit) if networks else []:
        members, own = [networks[i] for i in run], [each[i] for i in run]
        if len(run) > 1 and together is not False and not settings.channels_last:
            population = compile_population(members, own, batch, device=device)
            if together or pays(population, data, batch, device):
                outcomes = train_population(population, data, settings, seed, device)
                found += [Trained(population.member(k), o) for k, o in enumerate(outcomes)]
                continue
        found += [
            _alone(n, s, data, settings, seed, device) for n, s in zip(members, own, strict=True)
        ]
    return found


def pays(
    population: CompiledPopulation, data: Dataset, batch: int, device: torch.device | str = "cpu"
) -> bool:
    """Whether a step of a population takes less time than those of its members.

    Steps on the first samples, of copies: the population is left as it was, but on the device.
    Without a fused operation there is nothing to gain.
    """
    device = torch.device(device)
    if not population.meta["fused"]:
        return False
    x, y = data.inputs(data.train.x[:batch]), data.train.y[:batch]
    state = {name: tensor.clone() for name, tensor in population.state_dict().items()}
    population.to(device).train()
    alone = [population.member(k) for k in range(len(population))]

    def together() -> None:
        _back(population, lambda output: member_losses(output, y).sum(), x)

    def apart() -> None:
        for module in alone:
            _back(module, lambda output: task.loss(output, y), x)

    with torch.random.fork_rng([device.index or 0] if device.type == "cuda" else []):
        faster = _seconds(together, device) < _seconds(apart, device)
    population.load_state_dict(state)
    population.zero_grad()
    return faster


def _back(module: nn.Module, loss: Callable[[Tensor], Tensor], x: Tensor) -> None:
    module.zero_grad()
    value = loss(module(x))
    if value.requires_grad:
        torch.autograd.backward(value)


def _seconds(run: Callable[[], None], device: torch.device) -> float:
    # Where one thread does it all, its own time is not disturbed by other processes.
    own = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if own else time.perf_counter
    best = float("inf")
    for _ in range(TRIALS + 1):
        began = clock()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, clock() - began)
    return best


def _alone(
    network: Network,
    own: int,
    data: Dataset,
    settings: TrainSettings,
    seed: int,
    device: torch.device,
) -> Trained:
    module = compile_network(network, own)
    try:
        outcome: TrainResult | Diverged = train(module, data, settings, seed, device)
    except Diverged as error:
        outcome = error
        module.eval()
    return Trained(module, outcome)
