"""Captured steps against those made operation by operation.

A CUDA graph does again what was recorded, on the same memory, and nothing that Python decides.
So does :class:`Tape` on a CPU: it records every operation that reaches torch's dispatcher and
does them again, their results written to where the recorded ones are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nasdsl.training import loop
from nasdsl.training.data.dataset import Dataset, Split, statistics
from nasdsl.training.loop import own_noise, train
from nasdsl.training.settings import AdamW, Sgd, Sharpness, TrainSettings
from nasdsl.training.steps import WARM_UP, CapturedSteps, Phase, Steps, optimizer_for, steps_for

CPU = torch.device("cpu")
PLAIN = TrainSettings(batch=16)
KINDS = {
    "sgd": PLAIN,
    "no momentum": replace(PLAIN, optimizer=Sgd(0.1, 0.0)),
    "nesterov": replace(PLAIN, optimizer=Sgd(0.05, 0.9, nesterov=True)),
    "adamw": replace(PLAIN, optimizer=AdamW(0.01)),
    "clip": replace(PLAIN, clip=0.5, label_smoothing=0.1),
    "sam": replace(PLAIN, sharpness=Sharpness(0.05, False), clip=1.0),
    "asam": replace(PLAIN, sharpness=Sharpness(0.5, True), optimizer=AdamW(0.01)),
}


def network(dropout: float = 0.0) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 6, 3, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(96, 3),
        )


def data(device: str = "cpu") -> Dataset:
    draw = torch.Generator().manual_seed(5)
    y = torch.arange(70) % 3
    x = torch.randn(3, 1, 6, 6, generator=draw)[y] + torch.randn(70, 1, 6, 6, generator=draw)
    both = Split(x, y).to(device)
    return Dataset("x", both, both, ("a", "b", "c"), *statistics(both.x))


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]  # has no types in torch
    """Records operations, and does them again on the memory of the recording."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # has no types in torch
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, result in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def taping(made: list[Steps]) -> Callable[[Phase], Callable[[], object]]:
    """A capture that leaves weights, statistics and the optimizer as they were, as CUDA's does."""

    def capture(phase: Phase) -> Callable[[], object]:
        (owner,) = made
        held = [
            t for s in owner.optimizer.state.values() for t in s.values() if isinstance(t, Tensor)
        ]
        held += [*owner.module.parameters(), *owner.module.buffers()]
        before = [t.detach().clone() for t in held]
        noise = torch.random.get_rng_state()
        with Tape() as tape:
            phase()
        with torch.no_grad():
            for tensor, value in zip(held, before, strict=True):
                tensor.copy_(value)
        torch.random.set_rng_state(noise)
        replay: Callable[[], object] = tape.replay
        return replay

    return capture


def trained(settings: TrainSettings, dropout: float, count: int, captured: bool) -> Any:
    """Weights and losses after some steps with a new learning rate each."""
    module = network(dropout=dropout).train()
    parameters = list(module.parameters())
    given = data()
    if captured:
        made: list[Steps] = []
        run: Steps = CapturedSteps(module, parameters, settings, CPU, taping(made))
        made.append(run)
    else:
        run = Steps(module, parameters, settings, CPU)
    losses = []
    with own_noise(CPU) as reseed:
        for step in range(count):
            place = torch.arange(16) + 3 * step % 50
            x, y = given.inputs(given.train.x[place]), given.train.y[place]
            rate = settings.optimizer.lr * (1 - step / count)
            losses.append(run(x, y, rate, partial(reseed, step)))
    return module.state_dict(), torch.stack(losses), run


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("kind", KINDS)
def test_replays_train_to_the_weights_of_steps(kind: str, dropout: float) -> None:
    expected, curve, _ = trained(KINDS[kind], dropout, 20, False)
    found, other, run = trained(KINDS[kind], dropout, 20, True)
    assert isinstance(run, CapturedSteps)
    assert len(run.replays) == (2 if "sam" in kind else 1)
    torch.testing.assert_close(other, curve, rtol=1e-3, atol=1e-4)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    steps_seen = [int(t) for name, t in found.items() if name.endswith("num_batches_tracked")]
    assert steps_seen == [20]


def test_a_recording_that_keeps_the_learning_rate_is_told() -> None:
    """The tape is a judge: with torch's plain optimizer it trains to other weights."""

    class Careless(CapturedSteps):
        def __call__(self, x: Tensor, y: Tensor, lr: float, reseed: Callable[[], None]) -> Tensor:
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            return super().__call__(x, y, lr, reseed)

        def _optimizer(self) -> torch.optim.Optimizer:
            return optimizer_for(self.parameters, self.settings)

    def run(kind: type[CapturedSteps]) -> Tensor:
        module = network().train()
        made: list[Steps] = []
        step = kind(module, list(module.parameters()), PLAIN, CPU, taping(made))
        made.append(step)
        x, y = data().train.x[:16], data().train.y[:16]
        for at in range(8):
            step(x, y, 0.1 * (8 - at) / 8, lambda: None)
        return torch.cat([p.detach().flatten() for p in module.parameters()])

    assert not torch.allclose(run(Careless), run(CapturedSteps), rtol=1e-3, atol=1e-4)


def test_nothing_is_recorded_before_the_warm_up_is_over() -> None:
    _, _, run = trained(PLAIN, 0.0, WARM_UP, True)
    assert not run.replays and run.made == WARM_UP


def test_losses_and_batches_stay_where_they_are() -> None:
    _, curve, run = trained(PLAIN, 0.0, 10, True)
    assert len(set(curve.tolist())) == 10  # no later step wrote over an earlier loss
    x = torch.full_like(run.x, 2.0)
    place = run.x.data_ptr(), run.y.data_ptr(), run.loss.data_ptr()
    run(x, torch.zeros_like(run.y), 0.0, lambda: None)
    assert (run.x.data_ptr(), run.y.data_ptr(), run.loss.data_ptr()) == place
    assert bool((run.x == 2.0).all())
    with pytest.raises(AssertionError, match="one shape"):
        run(x[:4], run.y[:4], 0.1, lambda: None)


def test_a_whole_training_through_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrainSettings(epochs=3, batch=16, crop=1, flip=True, warmup=1, cuda_graph=True)
    plain = network(dropout=0.2)
    before = train(plain, data(), settings, 3)

    def captured(
        module: nn.Module,
        parameters: list[nn.Parameter],
        settings: TrainSettings,
        device: torch.device,
    ) -> Steps:
        made: list[Steps] = []
        made.append(CapturedSteps(module, parameters, settings, device, taping(made)))
        return made[0]

    monkeypatch.setattr(loop, "steps_for", captured)
    replayed = network(dropout=0.2)
    after = train(replayed, data(), settings, 3)
    assert after.steps == before.steps == 12
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(replayed.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
    for one, other in zip(before.history, after.history, strict=True):
        assert (one.epoch, one.lr) == (other.epoch, other.lr)
        assert one.loss == pytest.approx(other.loss, rel=1e-3)


def test_the_setting_has_no_effect_on_a_cpu() -> None:
    module = network()
    asked = steps_for(module, list(module.parameters()), replace(PLAIN, cuda_graph=True), CPU)
    assert type(asked) is Steps


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_cuda_replays_train_to_the_weights_of_steps(kind: str) -> None:
    device = torch.device("cuda")
    states = []
    for graph in (False, True):
        module = network().to(device)
        settings = replace(KINDS[kind], cuda_graph=graph, steps=20)
        moved = data("cuda")
        train(module, moved, settings, 1, device)
        states.append(module.state_dict())
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=1e-2, atol=1e-3, msg=name)
