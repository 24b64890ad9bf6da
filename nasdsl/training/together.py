"""Many networks trained: at once where that is faster and fits, else one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx

from nasdsl.compiler.build import compile_network
from nasdsl.compiler.population import HasNetwork, compile_population
from nasdsl.compiler.population_cost import available_bytes, split
from nasdsl.graph.network import Network
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.history import Diverged, TrainResult
from nasdsl.training.loop import train
from nasdsl.training.population import train_population
from nasdsl.training.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Trained:
    """A network after its training: the module in eval mode, and what came of it."""

    module: fx.GraphModule
    outcome: TrainResult | Diverged


def train_networks(
    networks: Sequence[Network | HasNetwork],
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
    as one population where fusing was faster in a few steps on copies, which costs about as
    much as those steps; results then differ from single trainings by rounding.

    Args:
        networks: networks, architectures or neighbors, with equal inputs and one output of
            equal type each.
        data: on the device.
        settings: of every training. With ``channels_last`` or ``cuda_graph`` each is trained by
            itself.
        seed: of order, augmentation and dropout, the same for all.
        seeds: of the initial weights, one for all or one for each.
        device: where to train.
        memory: bytes that a run may take; half of what is free by default.
        together: ``True`` trains each run at once, ``False`` none; ``None`` measures.

    Raises:
        DiagnosticError: networks of different types (NAS811), or an operation without code.
    """
    device = torch.device(device)
    given = [n if isinstance(n, Network) else n.network for n in networks]
    each = [*seeds] if isinstance(seeds, Sequence) else [seeds] * len(networks)
    batch = min(settings.batch, len(data.train))
    alone = settings.channels_last or (settings.cuda_graph and device.type == "cuda")
    limit = available_bytes(device) if memory is None else memory
    found: list[Trained] = []
    for run in split(given, batch, limit):
        members, own = [given[i] for i in run], [each[i] for i in run]
        if len(run) > 1 and together is not False and not alone:
            population = compile_population(members, own, batch, device=device)
            if together or population.meta["fused"]:
                outcomes = train_population(population, data, settings, seed, device)
                found += [Trained(population.member(k), o) for k, o in enumerate(outcomes)]
                continue
        found += [
            _alone(n, s, data, settings, seed, device) for n, s in zip(members, own, strict=True)
        ]
    return found


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
