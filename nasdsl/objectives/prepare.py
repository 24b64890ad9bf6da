"""Before the first trial: can these data, this training and these metrics go together at all?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from nasdsl.diagnostics import Note, Span, problem
from nasdsl.objectives.metrics import MetricRequest, measured
from nasdsl.operations.operation import TensorType
from nasdsl.training.data.dataset import Dataset, check_fit
from nasdsl.training.data.load import load
from nasdsl.training.settings import DataSettings, TrainSettings


def prepare(
    data_settings: DataSettings,
    train_settings: TrainSettings,
    requests: Sequence[MetricRequest],
    input_type: TensorType,
    output_type: TensorType,
    device: torch.device | str = "cpu",
    base_folder: str | Path | None = None,
    span: Span | None = None,
) -> Dataset:
    """Reads the data once and checks them against the space and the goals.

    What is wrong here would be wrong in every trial; it is the user's to mend.

    Raises:
        DiagnosticError: data missing, unreadable or of another shape (NAS701 to NAS704), a
            device that is not there (NAS705), a metric that these targets do not have (NAS712).
    """
    check_device(device)
    data = load(data_settings, base_folder, device)
    check_fit(data, input_type, output_type, train_settings, span or data_settings.span)
    if data.kind == "values":
        for request in measured(requests):
            if _counts(request):
                raise problem(
                    "NAS712",
                    f"'{request.metric}' needs classes, but '{data.name}' has float targets",
                    span or data_settings.span,
                    Note("minimize loss instead"),
                )
    for request in measured(requests):
        reason = _unfit(request, data)
        if reason:
            raise problem("NAS712", f"'{request.metric}': {reason}", span or data_settings.span)
    return data


def _counts(request: MetricRequest) -> bool:
    """Whether a metric counts right predictions."""
    if request.metric == "flatness.weights":
        return bool(request["of"] == "accuracy")
    return request.metric in ("accuracy", "flatness.local_energy")


def _unfit(request: MetricRequest, data: Dataset) -> str:
    """Why the samples cannot be corrupted or attacked, where that is asked for."""
    kind = request.metric.partition(".")[0]
    if kind not in ("corruption", "attack"):
        return ""
    if data.kind != "classes" or len(data.input.shape) != 3:
        return f"'{data.name}' holds no images with classes"
    if kind == "corruption":
        from nasdsl.robustness.corruptions import unfit

        return unfit(data.input.shape)
    return ""


def check_device(device: torch.device | str) -> None:
    """Raises a diagnostic (NAS705) where the device cannot be used here."""
    try:
        kind = torch.device(device)
    except RuntimeError as error:
        raise problem("NAS705", f"'{device}' is not a device; write cpu or cuda") from error
    if kind.type == "cuda" and not torch.cuda.is_available():
        raise problem(
            "NAS705",
            "no CUDA device can be used here",
            None,
            Note("use the device cpu, or install a torch built for this machine's GPU"),
        )
    if kind.type == "cuda" and (kind.index or 0) >= torch.cuda.device_count():
        raise problem("NAS705", f"there are {torch.cuda.device_count()} CUDA devices, from cuda:0")
    if kind.type not in ("cpu", "cuda"):
        raise problem("NAS705", f"networks are trained on cpu or cuda, not on '{kind.type}'")
