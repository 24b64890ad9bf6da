"""Operations that move values around and learn nothing."""

from __future__ import annotations

from nasdsl.operations.expectation import divisible, expect, positions, with_channels
from nasdsl.operations.operation import Operation, Parameter, Settings, TensorType

Types = tuple[TensorType, ...]


def _flatten_shape(s: Settings, inputs: Types) -> TensorType:
    expect("flatten", inputs[0], 1, 2, 3)
    return TensorType((inputs[0].size,))


def _upsample_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("upsample", x, 3, 2)
    return with_channels(x.channels, tuple(s["factor"] * n for n in positions(x)))


def _shuffle_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("channel_shuffle", x, 3)
    divisible("channel_shuffle", "its input channels", x.channels, s["groups"], "groups")
    return x


def _always(settings: Settings) -> bool:
    return True


SHAPE = (
    Operation("flatten", "All values as one vector.", (), _flatten_shape, zero=_always),
    Operation(
        "upsample",
        "Repeats each place of an image, or each token, factor times on each axis.",
        (Parameter("factor", "int", 2, 1, doc="how much larger the output is"),),
        _upsample_shape,
        zero=_always,
    ),
    Operation(
        "channel_shuffle",
        "Mixes the channels of groups (ShuffleNet, Zhang et al. 2018).",
        (Parameter("groups", "int", minimum=1, doc="number of groups"),),
        _shuffle_shape,
        zero=_always,
    ),
)
