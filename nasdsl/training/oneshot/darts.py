"""DARTS and NA-DARTS: weights and decisions of a mixed supernet, learned in turns.

The sides alternate step by step: decisions on a batch of their half of the training samples, then
weights on a batch of theirs. The validation samples are not touched; they compare networks.
Everything is a function of the seed, epoch by epoch, so that a training taken up at the end of an
epoch goes on to what it would have come to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.compiler.supernet import MixedSupernet, compile_supernet
from nasdsl.seeding import derive
from nasdsl.space import Space
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.history import Diverged
from nasdsl.training.loop import batches, own_noise
from nasdsl.training.oneshot.bilevel import Step, first_order, second_order
from nasdsl.training.oneshot.mixture import Decisions, drawn, moves
from nasdsl.training.oneshot.resumable import EpochwiseTraining
from nasdsl.training.oneshot.settings import DartsSettings
from nasdsl.training.oneshot.skips import skips_of
from nasdsl.training.settings import TrainSettings
from nasdsl.training.sharpness import frozen_statistics

BETAS = (0.5, 0.999)
"""Of Adam for the decisions, as in DARTS."""


@dataclass(frozen=True, slots=True)
class DartsEpoch:
    """Where a training stood at the end of an epoch.

    Attributes:
        epoch: counted from 1.
        loss: mean loss of the weights' steps, in nats.
        decision_loss: mean loss of the mixture on the decisions' batches, before each step.
        rank: of the architecture of the largest weights, as text: ranks can be large.
        skips: decisions in which a skip has the largest weight.
        skip_mass: mean weight of skips where there may be one.
        entropy: mean over decisions of the entropy of their weights, 1 for uniform ones.
    """

    epoch: int
    loss: float
    decision_loss: float
    rank: str
    skips: int
    skip_mass: float
    entropy: float


@dataclass(frozen=True, slots=True)
class DartsResult:
    """What a training of a mixed supernet came to. Plain data.

    Attributes:
        weights: of the alternatives, by decision, without noise.
        epochs: one record each.
        skippable: how many decisions may be a skip.
        passes: forward and backward passes of single batches, the cost of the search.
        seconds: wall time.
    """

    weights: Mapping[str, tuple[float, ...]]
    epochs: tuple[DartsEpoch, ...]
    skippable: int
    passes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DartsResult:
        """The inverse of :meth:`to_json`."""
        return cls(
            {name: tuple(w) for name, w in data["weights"].items()},
            tuple(DartsEpoch(**epoch) for epoch in data["epochs"]),
            data["skippable"],
            data["passes"],
            data["seconds"],
        )


def train_darts(
    space: Space,
    data: Dataset,
    settings: DartsSettings,
    train: TrainSettings,
    seed: int,
    device: torch.device | str = "cpu",
    taken: bytes | None = None,
    keep: Callable[[bytes], None] | None = None,
    tell: Callable[[DartsEpoch], None] | None = None,
) -> DartsResult:
    """Trains the mixed supernet of a space, and gives what its decisions have learned.

    Args:
        space: whose decisions are all mixed.
        data: whose training split is parted in two; on the device.
        settings: of the search.
        train: the file's own; its crop, flip and label smoothing are used here too.
        seed: of the search.
        device: where to train.
        taken: what ``keep`` was last given by a training that was cut short.
        keep: called with the state after each epoch.
        tell: called with the record of each epoch.

    Raises:
        DiagnosticError: a space that cannot be mixed.
        Diverged: a loss that is not finite.
    """
    training = _Training(space, data, settings, train, seed, torch.device(device))
    training.run(settings.epochs, taken, keep, tell)
    return training.result()


def halves(data: Dataset, part: float, seed: int) -> tuple[Split, Split]:
    """The training samples in two: a random ``part`` for weights, the others for decisions."""
    size = len(data.train)
    order = torch.randperm(
        size, generator=torch.Generator().manual_seed(derive(seed, "halves"))
    ).to(data.device)
    cut = min(max(1, round(part * size)), size - 1)
    x, y = data.train.x, data.train.y
    return Split(x[order[:cut]], y[order[:cut]]), Split(x[order[cut:]], y[order[cut:]])


class _Training(EpochwiseTraining[DartsEpoch]):
    """The training of one supernet."""

    def __init__(
        self,
        space: Space,
        data: Dataset,
        settings: DartsSettings,
        train: TrainSettings,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(DartsEpoch, device)
        self.settings = settings
        self.data = data
        self.seed = seed
        supernet = compile_supernet(space, "mixed", relaxation=None, seed=derive(seed, "supernet"))
        assert isinstance(supernet, MixedSupernet)
        self.supernet = supernet.to(device)
        self.decisions = Decisions(supernet, settings.relaxation, seed).to(device)
        self.moves = moves(supernet)
        self.skips = skips_of(space)
        self.sides = halves(data, settings.split, seed)
        self.batch = min(settings.batch, *map(len, self.sides))
        self.augmentation = replace(train, batch=self.batch)
        self.weights_rule = torch.optim.SGD(
            supernet.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self.decisions_rule = torch.optim.Adam(
            self.decisions.parameters(),
            lr=settings.decision_lr,
            betas=BETAS,
            weight_decay=settings.decision_decay,
        )

    def epoch(self) -> None:
        """One more epoch."""
        number = len(self.epochs)
        self.supernet.train()
        self.decisions.train()
        mine, theirs = (
            batches(self.data, side, self.batch, self.augmentation, derive(self.seed, name), number)
            for side, name in zip(self.sides, ("weights", "decisions"), strict=True)
        )
        losses: list[float] = []
        decision_losses: list[float] = []
        with own_noise(self.device) as reseed:
            for at, ((x, y), other) in enumerate(zip(mine, theirs, strict=False)):
                reseed(derive(self.seed, "noise", number, at))
                if number >= self.settings.warmup:
                    decision_losses.append(self._decide(x, y, other, number, at))
                losses.append(self._weigh(x, y, number, at))
        self.epochs.append(self._record(losses, decision_losses))

    def _loss(self, y: Tensor) -> Callable[[Tensor], Tensor]:
        smoothing = self.augmentation.label_smoothing
        return lambda output: task.loss(output, y, smoothing)

    def _decide(
        self, x: Tensor, y: Tensor, other: tuple[Tensor, Tensor], epoch: int, at: int
    ) -> float:
        settings = self.settings
        near = drawn(self.moves, settings.neighbors, self.seed, epoch, at)
        self.decisions_rule.zero_grad()
        held, target = other
        with frozen_statistics(self.supernet):
            if settings.order == "first":
                loss = first_order(self.supernet, self.decisions, held, self._loss(target), near)
            else:
                loss = second_order(
                    self.supernet,
                    self.decisions,
                    (x, self._loss(y)),
                    (held, self._loss(target)),
                    self._ahead(epoch),
                    near,
                )
                self.passes += 2  # to w', and back through it
        self.passes += 1 + len(near)
        self._finite(loss, epoch, at)
        self.decisions_rule.step()
        return loss

    def _ahead(self, epoch: int) -> Step:
        state = self.weights_rule.state
        velocity = {
            name: state[p].get("momentum_buffer") if p in state else None
            for name, p in self.supernet.named_parameters()
        }
        settings = self.settings
        return Step(self._lr(epoch), settings.momentum, settings.weight_decay, velocity)

    def _weigh(self, x: Tensor, y: Tensor, epoch: int, at: int) -> float:
        for group in self.weights_rule.param_groups:
            group["lr"] = self._lr(epoch)
        self.weights_rule.zero_grad()
        with torch.no_grad():
            mixture = self.decisions()
        value = self._loss(y)(self.supernet(x, mixture))
        torch.autograd.backward(value)
        self.passes += 1
        loss = float(value.detach())
        self._finite(loss, epoch, at)
        nn.utils.clip_grad_norm_(self.supernet.parameters(), self.settings.clip)
        self.weights_rule.step()
        return loss

    def _lr(self, epoch: int) -> float:
        """Half a cosine over the epochs, as in DARTS."""
        done = epoch / self.settings.epochs
        low, high = min(self.settings.final, self.settings.lr), self.settings.lr
        return low + (high - low) * 0.5 * (1 + math.cos(math.pi * done))

    def _finite(self, loss: float, epoch: int, at: int) -> None:
        if not math.isfinite(loss):
            per_epoch = max(1, min(map(len, self.sides)) // self.batch)
            raise Diverged(epoch * per_epoch + at + 1, loss)

    def _record(self, losses: list[float], decision_losses: list[float]) -> DartsEpoch:
        weights = self.decisions.probabilities()
        plain = {name: w.tolist() for name, w in weights.items()}
        return DartsEpoch(
            len(self.epochs) + 1,
            _mean(losses),
            _mean(decision_losses),
            str(self.supernet.best(weights).rank),
            self.skips.taken(plain),
            self.skips.mass(plain),
            _mean([_entropy(w) for w in weights.values()]),
        )

    def result(self) -> DartsResult:
        """What has been learned so far."""
        weights = self.decisions.probabilities()
        return DartsResult(
            {name: tuple(w.tolist()) for name, w in weights.items()},
            tuple(self.epochs),
            len(self.skips.alternatives),
            self.passes,
            self.seconds,
        )

    def _parts(self) -> Mapping[str, nn.Module | torch.optim.Optimizer]:
        return {
            "supernet": self.supernet,
            "decisions": self.decisions,
            "weights_rule": self.weights_rule,
            "decisions_rule": self.decisions_rule,
        }


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _entropy(weights: Tensor) -> float:
    """The entropy of a vector of weights as a part of the largest possible one."""
    shares = weights.double() / weights.double().sum()
    if len(shares) < 2:
        return 0.0
    return float(-torch.xlogy(shares, shares).sum()) / math.log(len(shares))
