"""The test samples, opened once, for the network that a search ends with."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import nn

from nasdsl.objectives.measurement import Value, gated
from nasdsl.training import task
from nasdsl.training.data.load import load, load_test
from nasdsl.training.loop import predict
from nasdsl.training.settings import DataSettings


def measure_test(
    module: nn.Module,
    data_settings: DataSettings,
    device: torch.device | str = "cpu",
    base_folder: str | Path | None = None,
) -> dict[str, Value]:
    """A trained module on the test samples: ``loss`` and, where there are classes, ``accuracy``.

    The spread of the accuracy is its standard error, ``sqrt(p (1 - p) / n)`` in percent: two
    networks closer than about twice that cannot be told apart on these samples.

    Args:
        module: trained, in the units of ``Dataset.inputs``.
        data_settings: as it was trained on.
        device: where to compute.
        base_folder: what relative paths of the data are relative to.

    Raises:
        DiagnosticError: the data cannot be read.
        MetricError: a value is not finite.
    """
    began = time.perf_counter()
    data = load(data_settings, base_folder, device)
    test = load_test(data_settings, base_folder, device)
    output = predict(module.to(device), data, test.x)
    values = {}
    if data.kind != "values":
        accuracy = task.accuracy(output, test.y)
        share = accuracy / 100
        error = 100 * (share * (1 - share) / len(test)) ** 0.5
        seconds = time.perf_counter() - began
        values["accuracy"] = gated(accuracy, error, "%", seconds, f"{len(test)} test samples")
    loss = task.loss(output, test.y).item()
    values["loss"] = gated(loss, None, "", time.perf_counter() - began)
    return values
