"""Trainings in whole epochs that can be cut after any of them and taken up again."""

from __future__ import annotations

import io
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import nn

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")


class EpochwiseTraining(ABC, Generic[Record]):
    """A training, of which whole epochs have been made.

    Attributes:
        epochs: the record of each epoch made.
        passes: forward and backward passes of single batches.
        seconds: wall time of all its epochs, also of those before it was cut.
    """

    def __init__(self, record: type[Record], device: torch.device) -> None:
        self.device = device
        self.epochs: list[Record] = []
        self.passes = 0
        self.seconds = 0.0
        self._record_type = record

    @abstractmethod
    def epoch(self) -> None:
        """One more epoch, with its record."""

    @abstractmethod
    def _parts(self) -> Mapping[str, nn.Module | torch.optim.Optimizer]:
        """What learns, by the name under which its state is kept."""

    def run(
        self,
        epochs: int,
        taken: bytes | None,
        keep: Callable[[bytes], None] | None,
        tell: Callable[[Record], None] | None,
    ) -> None:
        """Trains until there are so many epochs.

        Args:
            epochs: of the whole training.
            taken: what ``keep`` was last given by a training that was cut short.
            keep: called with the state after each epoch.
            tell: called with the record of each epoch.
        """
        if taken is not None:
            self._load(taken)
        began, before = time.perf_counter(), self.seconds
        while len(self.epochs) < epochs:
            self.epoch()
            self.seconds = before + time.perf_counter() - began
            if tell is not None:
                tell(self.epochs[-1])
            if keep is not None:
                keep(self._state())

    def _state(self) -> bytes:
        """All that the next epoch depends on."""
        buffer = io.BytesIO()
        torch.save(
            {
                **{name: part.state_dict() for name, part in self._parts().items()},
                "epochs": [asdict(epoch) for epoch in self.epochs],
                "passes": self.passes,
                "seconds": self.seconds,
            },
            buffer,
        )
        return buffer.getvalue()

    def _load(self, state: bytes) -> None:
        """Takes up what :meth:`_state` gave, on any device."""
        found: dict[str, Any] = torch.load(
            io.BytesIO(state), map_location=self.device, weights_only=True
        )
        for name, part in self._parts().items():
            part.load_state_dict(found[name])
        self.epochs = [self._record_type(**epoch) for epoch in found["epochs"]]
        self.passes, self.seconds = found["passes"], found["seconds"]
