"""The record of a training. No torch, so that whoever stores or draws it needs none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch: its number from 1, the mean training loss, the last learning rate."""

    epoch: int
    loss: float
    lr: float


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training was.

    Attributes:
        history: one record an epoch (the last may be part of one, where steps were given).
        steps: optimizer steps made.
        seconds: wall-clock time.
    """

    history: tuple[EpochRecord, ...]
    steps: int
    seconds: float


class Diverged(Exception):
    """The loss of a step is not finite.

    Attributes:
        step: from 1.
        loss: ``nan``, ``inf`` or ``-inf``.
    """

    def __init__(self, step: int, loss: float):
        self.step = step
        self.loss = loss
        super().__init__(f"diverged at step {step}: loss is {loss}")

    def __reduce__(self) -> tuple[type[Diverged], tuple[int, float]]:
        return Diverged, (self.step, self.loss)
