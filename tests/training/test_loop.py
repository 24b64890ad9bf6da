"""The training loop: equal to plain torch, repeatable, quiet about global state."""

import math
import pickle
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nasdsl.seeding import derive
from nasdsl.training.data import Dataset, Split
from nasdsl.training.data.dataset import statistics
from nasdsl.training.history import Diverged
from nasdsl.training.loop import predict, rate, train
from nasdsl.training.settings import AdamW, Sgd, Sharpness, TrainSettings


def network(seed=0, dropout=0.0):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(),
            nn.Dropout(dropout), nn.Linear(96, 3),
        )  # fmt: skip


def data(count=70, values=False):
    generator = torch.Generator().manual_seed(5)
    centers = torch.randn(3, 1, 6, 6, generator=generator)
    y = torch.arange(count) % 3
    x = centers[y] + torch.randn(count, 1, 6, 6, generator=generator)
    if values:
        y = x.mean((1, 2, 3), keepdim=False).unsqueeze(1).repeat(1, 3)
    return Dataset("x", Split(x, y), Split(x, y), ("a", "b", "c"), *statistics(x))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


FULL = TrainSettings(
    epochs=3, batch=16, crop=1, flip=True, label_smoothing=0.1, clip=1.0, warmup=1,
    sharpness=Sharpness(0.05, False),
)  # fmt: skip


def test_equals_a_plain_loop_with_torch_s_own_scheduler():
    settings = TrainSettings(epochs=4, batch=20, optimizer=Sgd(0.05, 0.9, 1e-3), clip=0.5,
                             label_smoothing=0.05)  # fmt: skip
    found, expected, given = network(), network(), data()
    result = train(found, given, settings, seed=3)

    optimizer = torch.optim.SGD(expected.parameters(), 0.05, 0.9, weight_decay=1e-3)
    steps = 4 * (70 // 20)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    x = (given.train.x - given.train.x.mean()) / given.train.x.std(correction=0)
    expected.train()
    losses = []
    for epoch in range(4):
        generator = torch.Generator().manual_seed(derive(3, "order", 0, epoch))
        for index in torch.randperm(70, generator=generator)[:60].split(20):
            optimizer.zero_grad()
            loss = F.cross_entropy(expected(x[index]), given.train.y[index], label_smoothing=0.05)
            loss.backward()
            nn.utils.clip_grad_norm_(expected.parameters(), 0.5)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    for a, b in zip(found.state_dict().values(), expected.state_dict().values(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    assert result.steps == steps
    assert [r.epoch for r in result.history] == [1, 2, 3, 4]
    for record, i in zip(result.history, range(0, steps, 3), strict=True):
        assert record.loss == pytest.approx(np.mean(losses[i : i + 3]), abs=1e-5)


def test_equal_seeds_give_bit_equal_weights_and_others_do_not():
    runs = []
    for seed, settings in ((1, FULL), (1, FULL), (2, FULL)):
        module = network(dropout=0.3)
        result = train(module, data(), settings, seed)
        runs.append((module.state_dict(), result.history))
    assert same(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert not same(runs[0][0], runs[2][0])


def test_the_settings_seed_makes_another_run():
    one, two = network(), network()
    train(one, data(), TrainSettings(epochs=1, batch=16), 1)
    train(two, data(), TrainSettings(epochs=1, batch=16, seed=1), 1)
    assert not same(one.state_dict(), two.state_dict())


def test_global_state_is_neither_read_nor_touched():
    def states():
        return torch.get_rng_state(), pickle.dumps(np.random.get_state()), random.getstate()

    torch.manual_seed(1)
    before = states()
    first = network(dropout=0.5)
    train(first, data(), FULL, 1)
    after = states()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    torch.manual_seed(999)
    second = network(dropout=0.5)
    train(second, data(), FULL, 1)
    assert same(first.state_dict(), second.state_dict())


def test_both_passes_of_a_sharp_step_drop_the_same_units():
    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(3, 36))
            self.seen = []

        def forward(self, x):
            mask = F.dropout(torch.ones(36), 0.5)
            self.seen.append(mask.clone())
            return F.linear(x.flatten(1) * mask, self.w)

    spy = Spy()
    train(spy, data(), TrainSettings(steps=2, batch=16, sharpness=Sharpness(0.1, False)), 0)
    assert torch.equal(spy.seen[0], spy.seen[1])
    assert torch.equal(spy.seen[2], spy.seen[3])
    assert not torch.equal(spy.seen[0], spy.seen[2])


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(epochs=15, batch=16),
        TrainSettings(epochs=15, batch=16, optimizer=AdamW(lr=0.01)),
        TrainSettings(epochs=15, batch=16, sharpness=Sharpness(0.05, False)),
        TrainSettings(epochs=15, batch=16, sharpness=Sharpness(0.5, True)),
        TrainSettings(epochs=15, batch=16, schedule="constant", optimizer=Sgd(0.02, nesterov=True)),
    ],
)
def test_it_learns(settings):
    module, given = network(), data()
    result = train(module, given, settings, 0)
    assert result.history[-1].loss < 0.4 * result.history[0].loss
    right = predict(module, given, given.train.x).argmax(1) == given.train.y
    assert right.float().mean() > 0.9


def test_float_targets_are_fitted():
    module, given = network(), data(values=True)
    result = train(module, given, TrainSettings(epochs=20, batch=16, optimizer=Sgd(0.02)), 0)
    assert result.history[-1].loss < 0.1 * result.history[0].loss


def test_steps_stop_in_the_middle_of_an_epoch():
    module = network()
    result = train(module, data(), TrainSettings(steps=6, batch=16), 0)
    assert result.steps == 6
    assert len(result.history) == 2
    assert module[1].num_batches_tracked == 6


def test_a_set_smaller_than_the_batch_is_one_batch():
    module = network()
    assert train(module, data(5), TrainSettings(epochs=2), 0).steps == 2


@pytest.mark.parametrize("sharpness", [None, Sharpness(0.05, False)])
def test_divergence_names_its_step(sharpness):
    class Bomb(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(36, 3)
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            passes = 2 if sharpness else 1
            if self.calls == passes * 4 + 1:
                return self.linear(x.flatten(1)) * math.nan
            return self.linear(x.flatten(1))

    with pytest.raises(Diverged, match=r"diverged at step 5: loss is nan") as error:
        train(Bomb(), data(), TrainSettings(epochs=3, batch=16, sharpness=sharpness), 0)
    assert error.value.step == 5
    again = pickle.loads(pickle.dumps(error.value))
    assert (again.step, str(again)) == (5, str(error.value))


def test_a_far_too_large_rate_diverges_by_itself():
    with pytest.raises(Diverged):
        train(
            nn.Sequential(nn.Flatten(), nn.Linear(36, 9), nn.Linear(9, 3)),
            data(values=True),
            TrainSettings(epochs=30, batch=16, optimizer=Sgd(100.0)),
            0,
        )


def test_a_network_without_weights_is_not_trained():
    module = nn.Sequential(nn.AdaptiveAvgPool2d((1, 3)), nn.Flatten())
    assert train(module, data(), TrainSettings(), 0).steps == 0
    assert not module.training


def test_weights_that_reach_nothing_stay():
    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.used = nn.Linear(36, 3)
            self.dead = nn.Linear(3, 3)

        def forward(self, x):
            return self.used(x.flatten(1))

    for sharpness in (None, Sharpness(0.1, True)):
        module = Dead()
        before = module.dead.weight.clone()
        train(module, data(), TrainSettings(steps=3, sharpness=sharpness, clip=1.0), 0)
        assert torch.equal(before, module.dead.weight)


def test_rates():
    cosine = TrainSettings(schedule="cosine")
    assert rate(cosine, 0, 10) == 1
    assert rate(cosine, 5, 10) == pytest.approx(0.5)
    assert rate(cosine, 10, 10) == pytest.approx(0)
    final = TrainSettings(schedule="cosine", final=0.1)
    assert rate(final, 10, 10) == pytest.approx(0.1)
    assert [rate(cosine, s, 10, 4) for s in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert {rate(TrainSettings(schedule="constant"), s, 9) for s in range(9)} == {1.0}
    assert rate(cosine, 4, 4, 4) == 1


def test_predictions_do_not_depend_on_the_batch_and_keep_modes():
    module, given = network(dropout=0.5), data()
    module.train()
    module[1].eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    whole = predict(module, given, given.train.x)
    parts = predict(module, given, given.train.x, batch=9)
    assert torch.allclose(whole, parts, atol=1e-6)
    assert same(before, module.state_dict())
    assert module.training
    assert not module[1].training
    assert module[4].training


def test_bf16_has_no_effect_on_a_cpu():
    one, two = network(), network()
    train(one, data(), TrainSettings(epochs=1, batch=16), 0)
    train(two, data(), TrainSettings(epochs=1, batch=16, bf16=True), 0)
    assert same(one.state_dict(), two.state_dict())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("bf16", [False, True])
def test_cuda_trains_in_the_same_order(bf16):
    settings = TrainSettings(epochs=3, batch=16, crop=1, flip=True, bf16=bf16)
    cpu, cuda, given = network(), network(), data()
    train(cpu, given, settings, 0)
    moved = Dataset("x", given.train.to("cuda"), given.validation.to("cuda"), given.classes,
                    given.mean.cuda(), given.std.cuda())  # fmt: skip
    state = torch.cuda.get_rng_state()
    train(cuda, moved, settings, 0, "cuda")
    assert torch.equal(state, torch.cuda.get_rng_state())
    close = 0.1 if bf16 else 1e-2
    for a, b in zip(cpu.parameters(), cuda.parameters(), strict=True):
        assert (a - b.cpu()).abs().max() < close
