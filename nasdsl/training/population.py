"""The training of a population: one loop, one batch for all members, everything else apart.

Each member's loss, norms (of SAM and of clipping) and outcome are its own. Optimizers move
each weight by itself, so one optimizer over the fused parameters is K optimizers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasdsl.compiler.population import CompiledPopulation
from nasdsl.seeding import derive
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.history import Diverged, EpochRecord, TrainResult
from nasdsl.training.loop import PREDICTION_BATCH, batches, predict, rate
from nasdsl.training.settings import Sharpness, TrainSettings
from nasdsl.training.sharpness import frozen_statistics
from nasdsl.training.steps import optimizer_for, precision

_TINY = 1e-12


def train_population(
    population: CompiledPopulation,
    data: Dataset,
    settings: TrainSettings,
    seed: int,
    device: torch.device | str = "cpu",
) -> list[TrainResult | Diverged]:
    """Trains all members in place on the same batches, and leaves the module in eval mode.

    Within rounding, member k ends as ``train(member k, data, settings, seed)`` would leave it.
    A member whose loss is no longer finite goes on computing, disturbs no other, and its
    outcome is the :class:`Diverged` that it would have raised.

    Args:
        population: on any device; it is moved.
        data: whose training split is used, on the device.
        settings: as read from the text; ``channels_last`` has no effect, since fused operations
            are slower so, and neither has ``cuda_graph``.
        seed: of order, augmentation and dropout, for all members.
        device: where module and data are.
    """
    began = time.perf_counter()
    device = torch.device(device)
    population.to(device).train()
    split = data.train
    batch = min(settings.batch, len(split))
    per_epoch = len(split) // batch
    total = settings.steps or settings.epochs * per_epoch
    warmup = round(settings.warmup * per_epoch)
    parts = Parts(population)
    if not parts.parameters:
        population.eval()
        return [TrainResult((), 0, time.perf_counter() - began) for _ in range(len(population))]
    optimizer = optimizer_for(parts.parameters, settings)
    losses: list[Tensor] = []
    rates: list[float] = []
    for epoch in range(math.ceil(total / per_epoch)):
        for x, y in batches(data, split, batch, settings, seed, epoch):
            step = len(losses)
            if step == total:
                break
            rates.append(settings.optimizer.lr * rate(settings, step, total, warmup))
            for group in optimizer.param_groups:
                group["lr"] = rates[-1]
            population.reseed(derive(seed, "noise", settings.seed, step))
            losses.append(_step(population, parts, optimizer, x, y, settings))
    population.reseed(None)
    population.eval()
    optimizer.zero_grad()
    seconds = time.perf_counter() - began
    curves = torch.stack(losses).double().cpu()
    return [_outcome(curves[:, k], rates, per_epoch, seconds) for k in range(len(population))]


def member_losses(output: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The loss of each member, [K], from outputs [K, batch, ...] for one batch of targets."""
    k = len(output)
    if y.is_floating_point() or y.dim() != 1:
        return torch.stack([task.loss(o, y, label_smoothing) for o in output])
    each = F.cross_entropy(
        output.float().flatten(0, 1),
        y.repeat(k),
        label_smoothing=label_smoothing,
        reduction="none",
    )
    return each.view(k, -1).mean(1)


def predict_population(
    population: CompiledPopulation, data: Dataset, x: Tensor, batch: int = PREDICTION_BATCH
) -> Tensor:
    """Outputs of all members in eval mode, [K, N, ...] in float32, for samples as stored."""
    found = predict(_BatchFirst(population), data, x, batch)
    return found.transpose(0, 1)


class _BatchFirst(nn.Module):
    """A population with the batch before the members, as whoever joins batches expects."""

    def __init__(self, population: CompiledPopulation) -> None:
        super().__init__()
        self.population = population

    def forward(self, x: Tensor) -> Tensor:
        """[batch, ...] to [batch, K, ...]."""
        output: Tensor = self.population(x)
        return output.transpose(0, 1)


@dataclass(frozen=True, slots=True)
class _Part:
    """A parameter that holds equal parts of some members along its first axis."""

    parameter: nn.Parameter
    index: Tensor

    def rows(self, tensor: Tensor) -> Tensor:
        """[parts, ...] of a tensor like the parameter; a view."""
        return tensor.view(len(self.index), -1)


class Parts:
    """The trained parameters of a population and whose they are."""

    def __init__(self, population: CompiledPopulation):
        members = population.parameter_members()
        self.size = len(population)
        self.parts = [
            _Part(p, torch.tensor(members[name], device=p.device))
            for name, p in population.named_parameters()
            if p.requires_grad
        ]
        self.parameters = [part.parameter for part in self.parts]

    def norms(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """The Euclidean norm of each member's parts of tensors like the parameters, [K]."""
        squares = self.parameters[0].new_zeros(self.size)
        for part, tensor in zip(self.parts, tensors, strict=True):
            if tensor is not None:
                squares.index_add_(0, part.index, part.rows(tensor).square().sum(1))
        return squares.sqrt()

    def scaled(self, part: _Part, tensor: Tensor, factors: Tensor) -> Tensor:
        """A tensor like a parameter, each member's part by its own factor."""
        return (part.rows(tensor) * factors[part.index, None]).view_as(tensor)


def _step(
    population: CompiledPopulation,
    parts: Parts,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    settings: TrainSettings,
) -> Tensor:
    """One step of all members; their losses at the weights before it, [K]."""

    def backward() -> Tensor:
        optimizer.zero_grad()
        with precision(settings, x.device):
            output = population(x)
        values = member_losses(output, y, settings.label_smoothing)
        # The sum sends each member the gradient of its own loss: nothing links them.
        torch.autograd.backward(values.sum())
        return values.detach()

    values = backward()
    if settings.sharpness is not None:
        old = _ascend(parts, settings.sharpness)
        with frozen_statistics(population):
            backward()
        with torch.no_grad():
            for part, weights in zip(parts.parts, old, strict=True):
                part.parameter.copy_(weights)
    if settings.clip is not None:
        _clip(parts, settings.clip)
    optimizer.step()
    return values


@torch.no_grad()
def _ascend(parts: Parts, sharpness: Sharpness) -> list[Tensor]:
    """Moves each member to its own worst weights nearby; the old weights of all."""
    old = [p.detach().clone() for p in parts.parameters]
    slopes = [p.grad for p in parts.parameters]
    if sharpness.adaptive:
        sizes = [p.abs() for p in parts.parameters]
        slopes = [None if g is None else g * s for g, s in zip(slopes, sizes, strict=True)]
    factors = sharpness.rho / (parts.norms(slopes) + _TINY)
    for at, (part, slope) in enumerate(zip(parts.parts, slopes, strict=True)):
        if slope is not None:
            move = slope * sizes[at] if sharpness.adaptive else slope
            part.parameter.add_(parts.scaled(part, move, factors))
    return old


@torch.no_grad()
def _clip(parts: Parts, limit: float) -> None:
    """Bounds the norm of each member's gradient, as torch's ``clip_grad_norm_`` does."""
    norms = parts.norms([p.grad for p in parts.parameters])
    factors = (limit / (norms + 1e-6)).clamp(max=1.0)
    for part in parts.parts:
        if part.parameter.grad is not None:
            part.parameter.grad.copy_(parts.scaled(part, part.parameter.grad, factors))


def _outcome(
    curve: Tensor, rates: Sequence[float], per_epoch: int, seconds: float
) -> TrainResult | Diverged:
    wrong = (~torch.isfinite(curve)).nonzero()
    if len(wrong):
        at = int(wrong[0])
        return Diverged(at + 1, float(curve[at]))
    history = []
    for start in range(0, len(curve), per_epoch):
        losses = curve[start : start + per_epoch]
        last = rates[start + len(losses) - 1]
        history.append(EpochRecord(start // per_epoch + 1, float(losses.mean()), last))
    return TrainResult(tuple(history), len(curve), seconds)
