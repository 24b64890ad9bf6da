"""Many networks trained at once or one after another come out alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.compiler.population import CompiledPopulation, compile_population
from nasdsl.compiler.population_cost import split, training_bytes
from nasdsl.graph.network import Network
from nasdsl.training import together
from nasdsl.training.data.dataset import Dataset, Split, statistics
from nasdsl.training.history import Diverged, TrainResult
from nasdsl.training.loop import train
from nasdsl.training.settings import Sgd, TrainSettings
from nasdsl.training.together import train_networks

SPACE = nasdsl.load("""
space small
input image[1, 6, 6]
output logits[3]
choice Op = | a = conv(4, 3) | b = conv(4, 1) >> relu | c = avgpool(3, stride=1)
network = conv(4, 3) >> bn >> relu >> Op >> Op >> global_avgpool >> linear(3)
""")
NETWORKS = [a.network for a in SPACE.samples(5, 0)]
SETTINGS = TrainSettings(steps=5, batch=16, optimizer=Sgd(0.05))


def data() -> Dataset:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(48, 1, 6, 6, generator=draw)
    part = Split(x, torch.arange(48) % 3)
    return Dataset("random", part, part, tuple("abc"), *statistics(x))


def apart(networks: Sequence[Network]) -> list[dict[str, torch.Tensor]]:
    found = []
    for seed, network in enumerate(networks):
        module = compile_network(network, seed)
        train(module, data(), SETTINGS, 7)
        found.append(module.state_dict())
    return found


@pytest.mark.parametrize("choice", [True, False, None])
@pytest.mark.parametrize("runs", [1, 2, 5])
def test_each_comes_out_as_trained_alone(choice: bool | None, runs: int) -> None:
    sizes = [training_bytes(n, 16) for n in NETWORKS]
    memory = {1: sum(sizes), 2: sum(sizes) - 1, 5: 1}[runs]
    assert len(split(NETWORKS, 16, memory)) == runs
    found = train_networks(NETWORKS, data(), SETTINGS, 7, range(5), memory=memory, together=choice)
    for one, expected in zip(found, apart(NETWORKS), strict=True):
        assert isinstance(one.outcome, TrainResult) and one.outcome.steps == 5
        assert not one.module.training
        state = one.module.state_dict()
        assert state.keys() == expected.keys()
        for name, tensor in expected.items():
            assert torch.allclose(state[name], tensor, rtol=1e-3, atol=1e-5), name


@pytest.mark.parametrize("fuse", [True, False])
def test_a_population_is_trained_where_something_is_fused(
    monkeypatch: pytest.MonkeyPatch, fuse: bool
) -> None:
    taken = []

    def trained(population: CompiledPopulation, *_: object) -> list[TrainResult]:
        taken.append(len(population))
        return [TrainResult((), 0, 0.0)] * len(population)

    monkeypatch.setattr(together, "train_population", trained)
    monkeypatch.setattr(
        together,
        "compile_population",
        lambda n, s, b, device: compile_population(n, s, b, fuse=fuse, device=device),
    )
    train_networks(NETWORKS, data(), SETTINGS, 0)
    assert taken == ([5] if fuse else [])


@pytest.mark.parametrize("choice", [True, False])
def test_one_that_diverges_takes_no_other_with_it(choice: bool) -> None:
    wild = TrainSettings(steps=30, batch=16, optimizer=Sgd(1e30, 0.9))
    found = train_networks(NETWORKS[:2], data(), wild, 0, together=choice)
    assert all(isinstance(one.outcome, Diverged) for one in found)


def test_architectures_and_neighbors_are_taken_too() -> None:
    center = SPACE[3]
    members: list[Any]
    members = [center, SPACE.neighbors(center)[0], center.network]
    found = nasdsl.train_networks(members, data(), SETTINGS, 7, together=False)
    expected = train_networks(
        [center.network, SPACE.neighbors(center)[0].network], data(), SETTINGS, 7
    )
    for one, other in zip(found, [*expected, expected[0]], strict=True):
        for name, tensor in other.module.state_dict().items():
            torch.testing.assert_close(one.module.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)


def test_no_networks_are_trained_to_none() -> None:
    assert train_networks([], data(), SETTINGS, 0) == []
