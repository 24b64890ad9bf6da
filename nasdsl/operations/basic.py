"""Identity, zero and dropout: operations that keep the type."""

from __future__ import annotations

from typing import Any

from nasdsl.operations.expectation import expect
from nasdsl.operations.operation import Operation, Parameter, Settings, TensorType
from nasdsl.operations.resolve import SettingError, shown


def keep(settings: Settings, inputs: tuple[TensorType, ...]) -> TensorType:
    """The type of the input, whatever it is."""
    return inputs[0]


def _dropout(settings: Settings, inputs: tuple[TensorType, ...]) -> TensorType:
    expect("dropout", inputs[0], 1, 2, 3)
    return inputs[0]


def _probability(settings: dict[str, Any]) -> dict[str, Any]:
    if settings["p"] > 1:
        raise SettingError(f"'p' of dropout must be at most 1, found {shown(settings['p'])}", "p")
    return settings


BASIC = (
    Operation("identity", "Passes its input on.", (), keep, zero=lambda s: True),
    Operation("zero", "Zeros of the shape of its input.", (), keep, zero=lambda s: True),
    Operation(
        "dropout",
        "Sets values to zero with probability p while training, and scales the others up.",
        (Parameter("p", "float", 0.5, 0, doc="probability of zeroing a value"),),
        _dropout,
        zero=lambda s: True,
        complete=_probability,
    ),
)
