"""The one training loop: plain torch, data on the device, all randomness by key."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from nasdsl.seeding import derive
from nasdsl.training import augment
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.history import Diverged, EpochRecord, TrainResult
from nasdsl.training.layout import arrange
from nasdsl.training.settings import TrainSettings
from nasdsl.training.steps import steps_for

PREDICTION_BATCH = 500
_CHECK_EVERY = 50
"""Steps between looks at the loss on CUDA: each look waits for the device."""


def train(
    module: nn.Module,
    data: Dataset,
    settings: TrainSettings,
    seed: int,
    device: torch.device | str = "cpu",
) -> TrainResult:
    """Trains a module in place on the training split, and leaves it on the device in eval mode.

    Order, crops and mirrors come from generators of their own; layers that draw by
    themselves (dropout) are seeded step by step, and the global generators are as before
    afterwards. On a CPU with a fixed number of threads equal seeds give bit-equal weights.

    Args:
        module: takes normalized samples [B, ...], gives logits, masks or values.
        data: whose training split is used, on the device.
        settings: as read from the text.
        seed: of this network; mixed with the settings' own.
        device: where module and data are.

    Raises:
        Diverged: a loss that is not finite; weights are then of no use.
    """
    began = time.perf_counter()
    device = torch.device(device)
    module.to(device).train()
    arrange(module, settings)
    split = data.train
    batch = min(settings.batch, len(split))
    per_epoch = len(split) // batch
    total = settings.steps or settings.epochs * per_epoch
    warmup = round(settings.warmup * per_epoch)
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:  # nothing to learn, as a network of pooling alone
        module.eval()
        return TrainResult((), 0, time.perf_counter() - began)
    make = steps_for(module, parameters, settings, device)
    history: list[EpochRecord] = []
    check_every = 1 if device.type == "cpu" else _CHECK_EVERY

    with own_noise(device) as reseed:
        for epoch in range(math.ceil(total / per_epoch)):
            first = epoch * per_epoch
            losses: list[Tensor] = []
            checked = 0
            for x, y in batches(data, split, batch, settings, seed, epoch):
                step = first + len(losses)
                if step == total:
                    break
                lr = settings.optimizer.lr * rate(settings, step, total, warmup)
                again = partial(reseed, derive(seed, "noise", settings.seed, step))
                losses.append(make(x, y, lr, again))
                if len(losses) - checked >= check_every:
                    _finite(losses[checked:], first + checked)
                    checked = len(losses)
            _finite(losses[checked:], first + checked)
            mean = float(torch.stack(losses).double().mean())
            history.append(EpochRecord(epoch + 1, mean, lr))
    module.eval()
    make.optimizer.zero_grad()
    return TrainResult(tuple(history), total, time.perf_counter() - began)


def rate(settings: TrainSettings, step: int, total: int, warmup: int = 0) -> float:
    """The learning rate of a step (from 0) as a fraction of the given one.

    Linear from ``1 / warmup`` to 1 over the first ``warmup`` steps, then constant, or half a
    cosine from 1 towards ``final`` (reached after the last step; Loshchilov and Hutter 2017).
    """
    if step < warmup:
        return (step + 1) / warmup
    if settings.schedule == "constant":
        return 1.0
    done = (step - warmup) / max(1, total - warmup)
    return settings.final + (1 - settings.final) * 0.5 * (1 + math.cos(math.pi * done))


@torch.inference_mode()
def predict(module: nn.Module, data: Dataset, x: Tensor, batch: int = PREDICTION_BATCH) -> Tensor:
    """Outputs of a module in eval mode for samples as they are stored, [N, ...] in float32.

    The modes of the module and its parts are afterwards as before.
    """
    with evaluating(module):
        parts = [module(data.inputs(x[start : start + batch])) for start in range(0, len(x), batch)]
    return torch.cat(parts).float()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Within it a module is in eval mode; afterwards every part is in the mode it was in."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:  # not train(): parts may have had modes of their own
            part.training = True


def batches(
    data: Dataset, split: Split, batch: int, settings: TrainSettings, seed: int, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The full batches of one epoch in a new order, normalized and augmented.

    The order and each draw depend on ``seed``, the settings' own and the epoch. Samples beyond
    the last full batch are left out, others in each epoch.

    Args:
        data: says how samples are normalized.
        split: whose samples are drawn, on any device.
        batch: samples of a batch, at most those of the split.
        settings: of the augmentation.
        seed: of this training.
        epoch: its number, from 0.
    """
    device = split.x.device
    generator = torch.Generator().manual_seed(derive(seed, "order", settings.seed, epoch))
    order = torch.randperm(len(split), generator=generator).to(device)
    draws = None
    if settings.crop or settings.flip:
        generator.manual_seed(derive(seed, "augment", settings.seed, epoch))
        draws = augment.draw(len(split), settings.crop, generator, device)
    for start in range(0, len(split) - batch + 1, batch):
        place = slice(start, start + batch)
        x, y = data.inputs(split.x[order[place]]), split.y[order[place]]
        if draws is not None:
            x, y = augment.augmented(x, y, settings.crop, settings.flip, draws.of(place))
        yield x, y


def _finite(losses: list[Tensor], before: int) -> None:
    """Raises for the first loss that is not finite; ``before`` steps came before these."""
    if not losses:
        return
    values = torch.stack(losses)
    wrong = (~torch.isfinite(values)).nonzero()
    if len(wrong):
        at = int(wrong[0])
        raise Diverged(before + at + 1, float(values[at]))


@contextmanager
def own_noise(device: torch.device) -> Iterator[Callable[[int], None]]:
    """A way to seed torch's global generators that leaves them, afterwards, as they were."""
    devices = [device.index or 0] if device.type == "cuda" else []

    def reseed(seed: int) -> None:
        torch.default_generator.manual_seed(seed)
        for index in devices:
            torch.cuda.default_generators[index].manual_seed(seed)

    with torch.random.fork_rng(devices):
        yield reseed
