"""Elastic supernets: trained as by hand, taken up as left, and lent exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import nasdsl
from nasdsl.compiler.supernet import SwitchedSupernet, sandwich
from nasdsl.diagnostics import DiagnosticError
from nasdsl.seeding import derive
from nasdsl.training import task
from nasdsl.training.data import Dataset, Split
from nasdsl.training.data.dataset import statistics
from nasdsl.training.history import Diverged
from nasdsl.training.loop import predict
from nasdsl.training.oneshot.elastic import (
    ElasticResult,
    elastic_supernet,
    inherit,
    train_elastic,
)
from nasdsl.training.oneshot.settings import ElasticSettings
from nasdsl.training.settings import TrainSettings

NETS = nasdsl.load(
    "input image[2, 6, 6]\noutput logits[3]\n"
    "network = inverted_residual(4, kernel=k, expand=e) * depth >> global_avgpool >> linear(3)\n"
    "  where k in {3, 5}\n        e in {2, 3}\n        depth in {1, 2}\n"
)


def samples(n: int = 24) -> Dataset:
    draw = torch.Generator().manual_seed(7)
    y = torch.arange(n) % 3
    x = torch.randn(n, 2, 6, 6, generator=draw)
    x[:, 0] += y.view(-1, 1, 1)
    mean, std = statistics(x)
    return Dataset("made", Split(x, y), Split(x[:12], y[:12]), ("a", "b", "c"), mean, std)


SHORT = ElasticSettings(epochs=2, batch=8, lr=0.1, paths=1)


def state(supernet: SwitchedSupernet) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in supernet.state_dict().items()}


@pytest.mark.parametrize("rho", [0.0, 0.2])
def test_a_training_that_was_cut_goes_on_as_if_it_had_not_been(rho: float) -> None:
    own = replace(SHORT, rho=rho)
    states: list[bytes] = []
    before = torch.random.get_rng_state()
    whole, result = train_elastic(NETS, samples(), own, TrainSettings(), 3, keep=states.append)
    resumed, again = train_elastic(NETS, samples(), own, TrainSettings(), 3, taken=states[0])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert result.epochs == again.epochs
    assert ElasticResult.from_json(result.to_json()) == result
    expected = state(whole)
    assert all(torch.equal(v, expected[n]) for n, v in state(resumed).items())
    # 3 steps an epoch of 3 paths, twice with sharpness.
    assert result.passes == 2 * 3 * 3 * (2 if rho else 1)
    assert not whole.training


def test_one_step_is_sgd_on_the_mean_loss_of_the_sandwich() -> None:
    """Against a step made by hand, path by path with torch's own autograd.grad."""
    data = samples(8)
    own = ElasticSettings(epochs=1, batch=8, lr=0.1, paths=2, momentum=0.0, weight_decay=0.0)
    own = replace(own, clip=1e9)
    found, _ = train_elastic(NETS, data, own, TrainSettings(), 3)
    by_hand = elastic_supernet(NETS, derive(3, "supernet")).train()
    paths = sandwich(NETS, 2, 3, "sandwich", 0)
    assert len(paths) == 4
    losses: list[Tensor] = []
    # One batch holds all samples: their order moves no sum by more than rounding.
    for path in paths:
        by_hand.set_path(path)
        losses.append(F.cross_entropy(by_hand(data.inputs(data.train.x)), data.train.y))
    names = [n for n, _ in by_hand.named_parameters()]
    slopes = torch.autograd.grad(
        torch.stack(losses).mean(), list(by_hand.parameters()), allow_unused=True
    )
    moved = dict(by_hand.named_parameters())
    for name, slope in zip(names, slopes, strict=True):
        expected = moved[name] if slope is None else moved[name] - 0.1 * slope
        torch.testing.assert_close(found.get_parameter(name), expected, rtol=1e-4, atol=1e-5)


def test_sharpness_looks_from_the_worst_weights_nearby() -> None:
    """A step of SAM by hand: ascend along the sum of the gradients, take the gradient there."""
    data = samples(8)
    own = ElasticSettings(
        epochs=1, batch=8, lr=0.1, paths=0, momentum=0.0, weight_decay=0.0, clip=1e9, rho=0.3
    )
    found, _ = train_elastic(NETS, data, own, TrainSettings(), 3)
    net = elastic_supernet(NETS, derive(3, "supernet")).train()
    paths = sandwich(NETS, 0, 3, "sandwich", 0)
    start = {n: p.detach().clone() for n, p in net.named_parameters()}

    def slopes() -> dict[str, Tensor]:
        net.zero_grad()
        for path in paths:
            net.set_path(path)
            value = F.cross_entropy(net(data.inputs(data.train.x)), data.train.y) / len(paths)
            torch.autograd.backward(value)
        return {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}

    first = slopes()
    norm = torch.sqrt(sum((g.square().sum() for g in first.values()), torch.zeros(())))
    with torch.no_grad():
        for name, p in net.named_parameters():
            if name in first:
                p.add_(first[name], alpha=0.3 / norm.item())
    second = slopes()
    for name, value in start.items():
        expected = value - 0.1 * second[name] if name in second else value
        torch.testing.assert_close(found.get_parameter(name), expected, rtol=1e-4, atol=1e-5)


def test_channels_last_trains_to_the_same_weights() -> None:
    trained = [
        train_elastic(NETS, samples(), SHORT, TrainSettings(channels_last=last), 3)[0]
        for last in (False, True)
    ]
    plain, laid = (dict(supernet.named_parameters()) for supernet in trained)
    for name, weight in plain.items():
        torch.testing.assert_close(laid[name], weight, rtol=1e-4, atol=1e-5)
    square = [w for w in laid.values() if w.dim() == 4]
    assert square and all(w.is_contiguous(memory_format=torch.channels_last) for w in square)


def test_what_is_lent_predicts_as_the_path_does() -> None:
    """Every architecture, alone and as a path of the trained supernet: equal accuracy."""
    data = samples()
    supernet, _ = train_elastic(NETS, data, SHORT, TrainSettings(), 3)
    accuracies = set()
    for architecture in NETS:
        alone = inherit(supernet, architecture.network)
        supernet.set_path(architecture)
        one = predict(alone, data, data.validation.x)
        other = predict(supernet, data, data.validation.x)
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
        assert task.accuracy(one, data.validation.y) == task.accuracy(other, data.validation.y)
        accuracies.add(task.accuracy(one, data.validation.y))
        with torch.no_grad():
            next(alone.parameters()).zero_()
        assert torch.equal(predict(supernet, data, data.validation.x), other)
    assert len(accuracies) > 1


def test_a_network_of_another_space_is_not_lent_anything() -> None:
    other = nasdsl.load(
        "input image[2, 6, 6]\noutput logits[3]\n"
        "network = conv(4, 3) >> global_avgpool >> linear(3)\n"
    )
    with pytest.raises(DiagnosticError, match="has no module for"):
        inherit(elastic_supernet(NETS), other[0].network)


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    with pytest.raises(Diverged, match="diverged at step"):
        own = replace(SHORT, lr=1e30, clip=1e30, epochs=4)
        train_elastic(NETS, samples(), own, TrainSettings(), 3)
