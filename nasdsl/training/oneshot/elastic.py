"""Training of an elastic supernet, so that every architecture can take its weights from it.

Each step takes the largest, the smallest and a few random paths on one batch and adds their
gradients (the sandwich rule of Yu and Huang, 2019). A sharpness-aware step ascends along the
sum of the gradients and takes the same paths again there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.compiler import compile_network
from nasdsl.compiler.supernet import SwitchedSupernet, compile_supernet, sandwich
from nasdsl.graph.network import Network
from nasdsl.seeding import derive
from nasdsl.space import Architecture, Space
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.history import Diverged, EpochRecord
from nasdsl.training.layout import arrange
from nasdsl.training.loop import batches, own_noise
from nasdsl.training.oneshot.resumable import EpochwiseTraining
from nasdsl.training.oneshot.settings import ElasticSettings
from nasdsl.training.settings import TrainSettings
from nasdsl.training.sharpness import ascend, descend, frozen_statistics


@dataclass(frozen=True, slots=True)
class ElasticResult:
    """What a training of an elastic supernet came to.

    Attributes:
        epochs: one record each; the loss is the mean over the paths, in nats.
        passes: forward and backward passes of single paths on single batches.
        seconds: wall time.
    """

    epochs: tuple[EpochRecord, ...]
    passes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ElasticResult:
        """The inverse of :meth:`to_json`."""
        epochs = tuple(EpochRecord(**epoch) for epoch in data["epochs"])
        return cls(epochs, data["passes"], data["seconds"])


def elastic_supernet(space: Space, seed: int = 0) -> SwitchedSupernet:
    """The untrained elastic supernet of a space; a diagnostic where there is none."""
    supernet = compile_supernet(space, "elastic", seed=seed)
    assert isinstance(supernet, SwitchedSupernet)
    return supernet


def inherit(supernet: SwitchedSupernet, network: Network, seed: int = 0) -> nn.Module:
    """A network of its own that starts with copies of the supernet's weights and statistics.

    It computes what the supernet computes on this path. Raises a diagnostic (NAS812) for a
    network that is none of the supernet's paths. Nothing is drawn from ``seed`` in the end, as
    every tensor is taken from the supernet.
    """
    alone = compile_network(network, seed)
    states = supernet.state_of(network)
    for id, place in alone.meta["paths"].items():
        if place.module is not None:
            alone.get_submodule(place.module).load_state_dict(states[id])
    return alone


def train_elastic(
    space: Space,
    data: Dataset,
    settings: ElasticSettings,
    train: TrainSettings,
    seed: int,
    device: torch.device | str = "cpu",
    taken: bytes | None = None,
    keep: Callable[[bytes], None] | None = None,
    tell: Callable[[EpochRecord], None] | None = None,
) -> tuple[SwitchedSupernet, ElasticResult]:
    """Trains the elastic supernet of a space on the training split.

    Args:
        space: whose architectures differ in sizes and in which parts they have.
        data: on the device.
        settings: of the training.
        train: the file's own; its crop, flip, label smoothing and layout are used here too.
        seed: of the search.
        device: where to train.
        taken: what ``keep`` was last given by a training that was cut short.
        keep: called with the state after each epoch.
        tell: called with the record of each epoch.

    Raises:
        DiagnosticError: a space whose sizes cannot share weights.
        Diverged: a loss that is not finite.
    """
    training = _Training(space, data, settings, train, seed, torch.device(device))
    training.run(settings.epochs, taken, keep, tell)
    training.supernet.eval()
    result = ElasticResult(tuple(training.epochs), training.passes, training.seconds)
    return training.supernet, result


class _Training(EpochwiseTraining[EpochRecord]):
    """The training of one supernet."""

    def __init__(
        self,
        space: Space,
        data: Dataset,
        settings: ElasticSettings,
        train: TrainSettings,
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__(EpochRecord, device)
        self.space = space
        self.data = data
        self.settings = settings
        self.seed = seed
        self.supernet = elastic_supernet(space, derive(seed, "supernet")).to(device)
        arrange(self.supernet, train)
        self.batch = min(settings.batch, len(data.train))
        self.per_epoch = len(data.train) // self.batch
        self.augmentation = replace(train, batch=self.batch)
        self.rule = torch.optim.SGD(
            self.supernet.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )

    def epoch(self) -> None:
        """One more epoch."""
        number = len(self.epochs)
        self.supernet.train()
        first, total = number * self.per_epoch, self.settings.epochs * self.per_epoch
        losses: list[float] = []
        rate = self.settings.lr
        order = derive(self.seed, "supernet order")
        drawn = batches(self.data, self.data.train, self.batch, self.augmentation, order, number)
        with own_noise(self.device) as reseed:
            for at, (x, y) in enumerate(drawn, first):
                rate = self.settings.lr * 0.5 * (1 + math.cos(math.pi * at / total))
                for group in self.rule.param_groups:
                    group["lr"] = rate
                losses.append(self._step(x, y, at, reseed))
        self.epochs.append(EpochRecord(number + 1, math.fsum(losses) / len(losses), rate))

    def _step(self, x: Tensor, y: Tensor, at: int, reseed: Callable[[int], None]) -> float:
        paths = sandwich(self.space, self.settings.paths, self.seed, "sandwich", at)
        noise = derive(self.seed, "supernet noise", at)
        parameters = list(self.supernet.parameters())
        reseed(noise)
        loss = self._gradients(paths, x, y, at)
        if self.settings.rho:
            old = ascend(parameters, self.settings.rho, self.settings.adaptive)
            reseed(noise)
            with frozen_statistics(self.supernet):
                self._gradients(paths, x, y, at)
            descend(parameters, old)
        nn.utils.clip_grad_norm_(parameters, self.settings.clip)
        self.rule.step()
        return loss

    def _gradients(self, paths: Sequence[Architecture], x: Tensor, y: Tensor, at: int) -> float:
        """The mean loss over the paths, and its gradients."""
        self.rule.zero_grad()
        total = 0.0
        smoothing = self.augmentation.label_smoothing
        for path in paths:
            self.supernet.set_path(path)
            value = task.loss(self.supernet(x), y, smoothing) / len(paths)
            torch.autograd.backward(value)
            self.passes += 1
            total += float(value.detach())
        if not math.isfinite(total):
            raise Diverged(at + 1, total)
        return total

    def _parts(self) -> Mapping[str, nn.Module | torch.optim.Optimizer]:
        return {"supernet": self.supernet, "rule": self.rule}
