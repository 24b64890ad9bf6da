"""Normalizations; all learn a scale and a shift for each channel unless told otherwise."""

from __future__ import annotations

from typing import Any

from nasdsl.operations.expectation import described, divisible, expect
from nasdsl.operations.operation import Cost, Operation, Parameter, Settings, ShapeError, TensorType
from nasdsl.operations.resolve import SettingError, shown

Types = tuple[TensorType, ...]

AFFINE = Parameter("affine", "bool", True, doc="learn a scale and a shift for each channel")
EPS = Parameter("eps", "float", 1e-5, 0, doc="added to the variance")


def _bn_shape(s: Settings, inputs: Types) -> TensorType:
    expect("bn", inputs[0], 3, 2, 1)
    return inputs[0]


def _layernorm_shape(s: Settings, inputs: Types) -> TensorType:
    expect("layernorm", inputs[0], 3, 2, 1)
    return inputs[0]


def _groupnorm_shape(s: Settings, inputs: Types) -> TensorType:
    expect("groupnorm", inputs[0], 3, 2, 1)
    divisible("groupnorm", "its input channels", inputs[0].channels, s["groups"], "groups")
    if inputs[0].size == s["groups"]:
        raise ShapeError(
            f"groupnorm needs more than one value in a group, found {s['groups']} groups in "
            f"{described(inputs[0])}"
        )
    return inputs[0]


def _cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    return Cost(2 * inputs[0].channels if s["affine"] else 0)


def _not_affine(s: Settings) -> bool:
    return not s["affine"]


def _momentum(settings: dict[str, Any]) -> dict[str, Any]:
    if settings["momentum"] > 1:
        raise SettingError(
            f"'momentum' of bn must be at most 1, found {shown(settings['momentum'])}", "momentum"
        )
    return settings


NORMALIZATION = (
    Operation(
        "bn",
        "Batch normalization of each channel (Ioffe & Szegedy 2015).",
        (AFFINE, EPS, Parameter("momentum", "float", 0.1, 0, doc="of the running statistics")),
        _bn_shape,
        _cost,
        # Without a scale and shift, zeros have mean zero, in training and in the running mean.
        zero=_not_affine,
        complete=_momentum,
    ),
    Operation(
        "layernorm",
        "Layer normalization over the features of each token, or over the channels at each place "
        "of an image (Ba et al. 2016).",
        (AFFINE, EPS),
        _layernorm_shape,
        _cost,
        zero=_not_affine,
    ),
    Operation(
        "groupnorm",
        "Normalization over groups of channels and all places (Wu & He 2018).",
        (Parameter("groups", "int", minimum=1, doc="number of groups"), AFFINE, EPS),
        _groupnorm_shape,
        _cost,
        zero=_not_affine,
    ),
)
