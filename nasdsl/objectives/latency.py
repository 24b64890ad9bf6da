"""How long a network takes to answer, measured on the device that it would be trained on."""

from __future__ import annotations

import statistics
import time

import torch
from torch import Tensor

from nasdsl.graph.network import Network
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.metrics import MetricError, MetricRequest
from nasdsl.operations.operation import TensorType
from nasdsl.training.loop import evaluating


@torch.inference_mode()
def latency(candidate: Candidate, request: MetricRequest) -> tuple[float, float]:
    """Median time of one batch in milliseconds, and the interquartile range over 1.349.

    That is the standard deviation of normal noise, without the outliers that other work on
    the machine makes. The module is in eval mode; weights do not matter for time.

    Raises:
        MetricError: the median is above the option ``at_most``.
    """
    module = candidate.any_module()
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    inputs = zeros(candidate.graph(), request["batch"], device)
    with evaluating(module):
        for _ in range(request["warmup"]):
            module(*inputs)
        times = []
        for _ in range(request["repeats"]):
            _wait(device)
            began = time.perf_counter()
            module(*inputs)
            _wait(device)
            times.append(1000 * (time.perf_counter() - began))
    median = statistics.median(times)
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    most = request["at_most"]
    if most and median > most:
        raise MetricError(f"{median:.3g} ms are more than the {most:g} ms allowed")
    return median, (high - low) / 1.349


def zeros(network: Network, batch: int, device: torch.device | str) -> list[Tensor]:
    """A batch of zeros for each input of a network."""
    return [
        torch.zeros((batch, *node.type.shape), dtype=dtype(node.type), device=device)
        for node in network.inputs
    ]


def dtype(type_: TensorType) -> torch.dtype:
    """The dtype of tensors of a type."""
    return torch.int64 if type_.dtype == "int" else torch.float32


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
