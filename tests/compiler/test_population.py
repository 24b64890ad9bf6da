"""Populations against the members trained one at a time by the plain loop."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import nasdsl
from nasdsl.compiler import compile_network
from nasdsl.compiler.population import CompiledPopulation, compile_population
from nasdsl.compiler.population_cost import split, training_bytes
from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.network import Network
from nasdsl.space import Space
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.history import Diverged, TrainResult
from nasdsl.training.loop import train
from nasdsl.training.population import predict_population, train_population
from nasdsl.training.settings import AdamW, Sgd, Sharpness, TrainSettings
from tests.compiler.three_classes import three_classes

TEXT = """
space small "everything that is fused, and some that is not"
input  image[2, 6, 6]
output logits[3]
choice Op(c) =
  | skip  = identity
  | none  = zero
  | conv  = relu >> conv(c, 3, bias=false) >> bn
  | sep   = separable(c, 3) >> groupnorm(2)
  | deep  = depthwise(3) >> bn >> hswish
  | mobile = inverted_residual(c, 3, expand=2, se=true)
  | norm  = layernorm
  | pool  = avgpool(3, stride=1)
cell Cell(c) {
  input  n[0]
  node   n[j in 1..2] = sum(Op(c)(n[i]) for i in 0..j-1)
  output n[2]
}
network = conv(width, 3) >> Cell(width) >> maxpool(2) >> (identity ++ conv(2, 1)) >> relu
  >> global_avgpool >> bn >> linear(hidden) >> tanh >> linear(3)
  where width in {4, 8}
        hidden in {4, 5}
"""


@pytest.fixture(scope="module")
def space() -> Space:
    return nasdsl.load(TEXT)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return three_classes()


def networks(space: Space, count: int, seed: int) -> list[Network]:
    return [a.network for a in space.samples(count, seed)]


def close(a: dict[str, Tensor], b: dict[str, Tensor], tolerance: float) -> None:
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        torch.testing.assert_close(
            tensor, b[name], rtol=tolerance, atol=tolerance, msg=f"{name}: {{}}".format
        )


@given(seed=st.integers(0, 10**6), count=st.integers(1, 5), fuse=st.sampled_from([True, False]))
@settings(max_examples=12, deadline=None)
def test_members_compute_what_they_compute_alone(
    space: Space, seed: int, count: int, fuse: bool
) -> None:
    members = networks(space, count, seed)
    population = compile_population(members, range(count), fuse=fuse)
    x = torch.randn(7, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
    output = population(x)
    assert output.shape == (count, 7, 3)
    for k, network in enumerate(members):
        alone = compile_network(network, k)
        torch.testing.assert_close(output[k], alone(x), rtol=1e-4, atol=1e-5)
        close(dict(population.member(k).state_dict()), dict(alone.state_dict()), 1e-5)


RULES = {
    "sgd": TrainSettings(steps=50, batch=16, optimizer=Sgd(lr=0.02, weight_decay=1e-3)),
    "adamw": TrainSettings(steps=50, batch=16, optimizer=AdamW(lr=1e-3), warmup=1.0),
    "sam": TrainSettings(
        steps=50, batch=16, optimizer=Sgd(lr=0.02), sharpness=Sharpness(0.05, False)
    ),
    "asam": TrainSettings(
        steps=20, batch=16, optimizer=Sgd(lr=0.02), sharpness=Sharpness(0.2, True)
    ),
    "clip": TrainSettings(
        steps=20, batch=16, optimizer=Sgd(lr=0.02), clip=0.2, flip=True, label_smoothing=0.1
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_training_equals_separate_trainings(space: Space, data: Dataset, rule: str) -> None:
    members = networks(space, 3, 11)
    members = [*members, members[0]]
    # In float64, so that what differs is the method and not the order of sums.
    data = Dataset(
        data.name,
        Split(data.train.x.double(), data.train.y),
        data.validation,
        data.classes,
        data.mean.double(),
        data.std.double(),
    )
    population = compile_population(members, range(4), fuse=True).double()
    results = train_population(population, data, RULES[rule], 3)
    for k, network in enumerate(members):
        alone = compile_network(network, k).double()
        wanted = train(alone, data, RULES[rule], 3)
        result = results[k]
        assert isinstance(result, TrainResult)
        assert result.steps == wanted.steps
        assert [r.lr for r in result.history] == [r.lr for r in wanted.history]
        for ours, theirs in zip(result.history, wanted.history, strict=True):
            assert math.isclose(ours.loss, theirs.loss, rel_tol=1e-4)
        close(population.member_state(k), dict(alone.state_dict()), 1e-3)


def test_a_member_that_diverges_touches_no_other(space: Space, data: Dataset) -> None:
    members = networks(space, 4, 2)
    rule = replace(RULES["sam"], steps=12)
    sound = compile_population(members, range(4), fuse=True)
    broken = compile_population(members, range(4), fuse=True)
    with torch.no_grad():
        for tensor in broken.member_state(1).values():
            if tensor.is_floating_point():
                tensor.fill_(math.nan)
    expected = train_population(sound, data, rule, 0)
    results = train_population(broken, data, rule, 0)
    assert isinstance(results[1], Diverged) and results[1].step == 1
    for k in (0, 2, 3):
        ours, theirs = results[k], expected[k]
        assert isinstance(ours, TrainResult) and isinstance(theirs, TrainResult)
        assert ours.history == theirs.history
        for name, tensor in sound.member_state(k).items():
            assert torch.equal(tensor, broken.member_state(k)[name]), name


def test_same_members_are_fused_into_single_calls(space: Space) -> None:
    network = networks(space, 1, 4)[0]
    fused = compile_population([network] * 3, fuse=True)
    apart = compile_population([network] * 3, fuse=False)
    assert apart.meta["fused"] == 0
    assert fused.meta["fused"] > 0
    assert fused.meta["calls"] < apart.meta["calls"]


def test_dropout_draws_for_a_member_as_it_does_alone(data: Dataset) -> None:
    space = nasdsl.load(
        "space d\ninput image[2, 6, 6]\noutput logits[3]\n"
        "network = conv(width, 3) >> dropout(0.5) >> global_avgpool >> linear(3)\n"
        "  where width in {4, 6}"
    )
    members = [space[0].network, space[1].network]
    rule = TrainSettings(steps=6, batch=16, optimizer=Sgd(lr=0.1))
    population = compile_population(members, fuse=True)
    state = torch.get_rng_state()
    train_population(population, data, rule, 9)
    assert torch.equal(state, torch.get_rng_state())
    for k, network in enumerate(members):
        alone = compile_network(network)
        train(alone, data, rule, 9)
        close(population.member_state(k), dict(alone.state_dict()), 1e-5)


def test_pickle_and_copy_give_equal_independent_populations(space: Space) -> None:
    population = compile_population(networks(space, 3, 8), fuse=True).eval()
    x = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    expected = population(x)
    for other in (pickle.loads(pickle.dumps(population)), copy.deepcopy(population)):
        assert isinstance(other, CompiledPopulation)
        assert not other.training
        assert torch.equal(other(x), expected)
        other.load_member(0, {n: t + 1 for n, t in other.member_state(0).items()})
        assert torch.equal(population(x), expected)


def test_predictions_are_those_of_the_members(space: Space, data: Dataset) -> None:
    population = compile_population(networks(space, 3, 21), fuse=True)
    found = predict_population(population, data, data.validation.x, batch=7)
    assert found.shape == (3, 40, 3)
    assert population.training
    for k in range(3):
        alone = population.member(k).eval()
        with torch.no_grad():
            wanted = alone(data.inputs(data.validation.x))
        torch.testing.assert_close(found[k], wanted, rtol=1e-4, atol=1e-5)


def test_members_of_other_types_are_refused(space: Space) -> None:
    other = nasdsl.load(
        "space o\ninput image[2, 6, 6]\noutput logits[4]\nnetwork = global_avgpool >> linear(4)"
    )
    with pytest.raises(DiagnosticError, match="a member gives"):
        compile_population([space[0].network, other[0].network])
    with pytest.raises(DiagnosticError, match="at least one"):
        compile_population([])


def test_memory_is_foreseen_and_runs_fit(space: Space) -> None:
    nas = Path(__file__).parents[2] / "spaces" / "nasbench201.nas"
    if not nas.is_file():
        pytest.skip("the shipped spaces are not there")
    network = nasdsl.load(nas, {"C": "4", "N": "1"}).sample(3).network
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    module = compile_network(network)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        output = module(torch.zeros(8, 3, 32, 32))
    held = sum(kept.values())
    del output
    assert held / 2 < training_bytes(network, 8) < 4 * held
    one = training_bytes(network, 8)
    assert split([network] * 5, 8, 2 * one) == [[0, 1], [2, 3], [4]]
    assert split([network] * 2, 8, 1) == [[0], [1]]
