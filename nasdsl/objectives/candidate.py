"""One candidate under measurement, and the work that its metrics share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.graph.network import Network
from nasdsl.objectives.measurement import Fact
from nasdsl.objectives.metrics import MetricError, MetricRequest
from nasdsl.objectives.table import Table
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.loop import PREDICTION_BATCH, predict
from nasdsl.training.settings import TrainSettings


@dataclass(eq=False)
class Candidate:
    """What a metric may look at.

    Attributes:
        network: its graph, where there is one.
        module: the trained network in eval mode; ``None`` for static metrics.
        data: training and validation samples on the device of the module.
        seed: of this candidate; each metric derives its own from it by key.
        facts: what the space knows of the architecture beyond its graph.
        batch: samples of one prediction; results do not depend on it beyond rounding.
        initial: the module before it is trained, while metrics that need no training look at it.
        wanted: all metrics that it is measured for, so that those with common work do it once.
        table: published values, where they stand for training.
        shared: what metrics keep for one another.
        settings: how the module was trained.
    """

    network: Network | None = None
    module: nn.Module | None = None
    data: Dataset | None = None
    seed: int = 0
    facts: Mapping[str, Fact] = field(default_factory=dict)
    batch: int = PREDICTION_BATCH
    initial: nn.Module | None = None
    wanted: tuple[MetricRequest, ...] = ()
    table: Table | None = None
    shared: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    settings: TrainSettings | None = None

    def graph(self) -> Network:
        """The network's graph."""
        if self.network is None:
            raise MetricError("there is no graph of this network")
        return self.network

    def trained(self) -> tuple[nn.Module, Dataset]:
        """The trained module and the data."""
        if self.module is None or self.data is None:
            raise MetricError("the network was not trained")
        return self.module, self.data

    def untrained(self) -> tuple[nn.Module, Dataset]:
        """The module as initialized (the one that is there, outside of a measurement), and data."""
        if self.data is None:
            raise MetricError("there are no samples; a table of published values has none")
        return self.any_module(), self.data

    def any_module(self) -> nn.Module:
        """The module, trained or not."""
        module = self.initial or self.module
        if module is None:
            raise MetricError("the network was not compiled")
        return module

    def published(self, column: str | None = None) -> float:
        """What the table says of this architecture: a column, by default the one of the search."""
        if self.table is None:
            raise MetricError("no table was given; write data table(...)")
        key = self.facts.get("key")
        if not isinstance(key, str):
            raise MetricError("an architecture outside the space has no row in a table")
        return self.table.value(key, column)

    @cached_property
    def predictions(self) -> Tensor:
        """Outputs for the validation samples, in their order, float32; one pass for all."""
        module, data = self.trained()
        return predict(module, data, data.validation.x, self.batch)

    @cached_property
    def accuracy(self) -> float:
        """Validation accuracy in percent.

        Raises:
            MetricError: targets without classes, or predictions that are not finite.
        """
        if self.table is not None:
            return self.published()
        _, data = self.trained()
        if data.kind == "values":
            raise MetricError(f"the targets of '{data.name}' are values, which have no accuracy")
        if not torch.isfinite(self.predictions).all():
            raise MetricError("its predictions are not finite")
        return task.accuracy(self.predictions, data.validation.y)
