"""Many networks trained at once or one after another come out alike."""

from __future__ import annotations

from collections.abc import Sequence

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
from nasdsl.training.together import pays, train_networks

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


def test_looking_leaves_a_population_as_it_was() -> None:
    population = compile_population(NETWORKS, range(5), fuse=True)
    before = {name: t.clone() for name, t in population.state_dict().items()}
    noise = torch.random.get_rng_state()
    pays(population, data(), 16)
    assert torch.equal(torch.random.get_rng_state(), noise)
    assert all(torch.equal(t, before[name]) for name, t in population.state_dict().items())
    assert all(p.grad is None for p in population.parameters())
    assert not pays(compile_population(NETWORKS, fuse=False), data(), 16)


def test_the_faster_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def trained(population: CompiledPopulation, *_: object) -> list[TrainResult]:
        taken.append(len(population))
        return [TrainResult((), 0, 0.0)] * len(population)

    monkeypatch.setattr(together, "train_population", trained)
    for first, second in ((1.0, 2.0), (2.0, 1.0)):
        seconds = iter((first, second))
        monkeypatch.setattr(together, "_seconds", lambda run, device, s=seconds: next(s))
        monkeypatch.setattr(
            together,
            "compile_population",
            lambda n, s, b, device: compile_population(n, s, b, fuse=True, device=device),
        )
        train_networks(NETWORKS, data(), SETTINGS, 0)
    assert taken == [5]


@pytest.mark.parametrize("choice", [True, False])
def test_one_that_diverges_takes_no_other_with_it(choice: bool) -> None:
    wild = TrainSettings(steps=30, batch=16, optimizer=Sgd(1e30, 0.9))
    found = train_networks(NETWORKS[:2], data(), wild, 0, together=choice)
    assert all(isinstance(one.outcome, Diverged) for one in found)


def test_no_networks_are_trained_to_none() -> None:
    assert train_networks([], data(), SETTINGS, 0) == []
