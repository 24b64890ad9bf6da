"""Sharpness-aware steps against closed forms and against pytorch-optimizer."""

import copy

import pytest
import torch
from pytorch_optimizer import SAM
from torch import nn

from nasdsl.training import task
from nasdsl.training.data import Dataset, Split
from nasdsl.training.data.dataset import statistics
from nasdsl.training.loop import train
from nasdsl.training.settings import AdamW, Sgd, Sharpness, TrainSettings
from nasdsl.training.sharpness import ascend, descend, frozen_statistics
from nasdsl.training.threads import one_thread


def parameter(values, grad):
    p = nn.Parameter(torch.tensor(values, dtype=torch.float64))
    p.grad = torch.tensor(grad, dtype=torch.float64)
    return p


def test_the_ascent_of_sam_is_rho_long_along_the_gradient():
    a, b = parameter([1.0, 2.0], [3.0, 0.0]), parameter([5.0], [4.0])
    old = ascend([a, b], 0.5, adaptive=False)
    assert torch.allclose(a, torch.tensor([1.3, 2.0], dtype=torch.float64))
    assert torch.allclose(b, torch.tensor([5.4], dtype=torch.float64))
    descend([a, b], old)
    assert a.tolist() == [1.0, 2.0]
    assert b.tolist() == [5.0]


def test_the_ascent_of_asam_is_rho_long_in_units_of_the_weights():
    a, b = parameter([2.0, 0.0], [3.0, 7.0]), parameter([-1.0], [8.0])
    ascend([a, b], 0.5, adaptive=True)
    moved = torch.cat([a.detach() - torch.tensor([2.0, 0.0]), b.detach() + 1])
    # |w| g = (6, 0, 8), of norm 10: e = rho w^2 g / 10.
    assert torch.allclose(moved, 0.5 * torch.tensor([12.0, 0.0, 8.0]).double() / 10)
    scaled = moved[[0, 2]] / torch.tensor([2.0, 1.0])
    assert torch.allclose(scaled.norm(), torch.tensor(0.5).double())


def test_a_zero_gradient_moves_nothing_and_none_is_left_out():
    a = parameter([1.0], [0.0])
    b = nn.Parameter(torch.ones(1))
    for adaptive in (False, True):
        old = ascend([a, b], 0.5, adaptive)
        assert len(old) == 1
        assert a.item() == 1.0
        descend([a, b], old)
    assert ascend([b], 0.5, adaptive=False) == []


def network():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.Tanh(), nn.Flatten(),
            nn.Linear(96, 4),
        )  # fmt: skip


def data(count=32):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(count, 1, 6, 6, generator=generator)
    y = torch.randint(0, 4, (count,), generator=generator)
    return Dataset("x", Split(x, y), Split(x, y), tuple("abcd"), *statistics(x))


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("rule", [Sgd(lr=0.1, momentum=0.9, weight_decay=1e-3), AdamW(lr=0.01)])
def test_three_steps_equal_pytorch_optimizer_s(adaptive, rule):
    found, expected, given = network(), network(), data()
    settings = TrainSettings(
        steps=3, batch=32, optimizer=rule, schedule="constant", sharpness=Sharpness(0.3, adaptive)
    )
    train(found, given, settings, seed=0)

    options = (
        {"lr": rule.lr, "momentum": rule.momentum, "weight_decay": rule.weight_decay}
        if isinstance(rule, Sgd)
        else {"lr": rule.lr, "weight_decay": rule.weight_decay}
    )
    base = torch.optim.SGD if isinstance(rule, Sgd) else torch.optim.AdamW
    optimizer = SAM(expected.parameters(), base, rho=0.3, adaptive=adaptive, **options)
    x, y = given.inputs(given.train.x), given.train.y
    for _ in range(3):
        optimizer.zero_grad()
        task.loss(expected(x), y).backward()

        def again():
            optimizer.zero_grad()
            value = task.loss(expected(x), y)
            value.backward()
            return value

        optimizer.step(again)
    # Orders of samples differ (a whole batch each time), so sums differ by rounding.
    for a, b in zip(found.parameters(), expected.parameters(), strict=True):
        assert (a - b).abs().max() < (3e-7 if isinstance(rule, Sgd) else 2e-5)


@pytest.mark.parametrize("adaptive", [False, True])
def test_one_ascent_equals_pytorch_optimizer_s(adaptive):
    ours, theirs, start = network(), network(), network()
    x, y = data().train.x, data().train.y
    optimizer = SAM(theirs.parameters(), torch.optim.SGD, rho=0.7, adaptive=adaptive, lr=0.1)
    # Several threads round the sum in a norm in an order of their own: a unit in the last place
    # of the largest weight, which is more than the tolerance.
    with one_thread():
        for module in (ours, theirs):
            task.loss(module(x), y).backward()
        ascend(ours.parameters(), 0.7, adaptive)
        optimizer.first_step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert (a - b).abs().max() < 3e-8
    assert not torch.allclose(ours[0].weight, start[0].weight, atol=1e-4)


def test_the_second_pass_leaves_running_statistics_alone():
    plain, sharp = network(), network()
    base = TrainSettings(steps=1, batch=32, optimizer=Sgd(lr=0.1), schedule="constant")
    train(plain, data(), base, seed=0)
    train(
        sharp,
        data(),
        TrainSettings(steps=1, batch=32, schedule="constant", sharpness=Sharpness(5.0, False)),
        seed=0,
    )
    assert torch.equal(plain[1].running_mean, sharp[1].running_mean)
    assert torch.equal(plain[1].running_var, sharp[1].running_var)
    assert sharp[1].num_batches_tracked == 1
    assert not torch.equal(plain[0].weight, sharp[0].weight)


def test_frozen_norms_still_use_the_batch_and_thaw_after_an_error():
    module = network().train()
    other = copy.deepcopy(module)
    x = data().train.x
    with frozen_statistics(module):
        assert torch.equal(module(x), other(x))
    assert not torch.equal(module[1].running_mean, other[1].running_mean)
    with pytest.raises(ZeroDivisionError), frozen_statistics(module):
        raise ZeroDivisionError
    assert module[1].track_running_stats
