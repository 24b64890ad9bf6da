"""Building blocks of MobileNetV3 as the once-for-all network has them (Cai et al. 2020)."""

from __future__ import annotations

from nasdsl.operations.activation import GATED_BY
from nasdsl.operations.convolution import CHANNELS, STRIDE, padding
from nasdsl.operations.expectation import expect, slid
from nasdsl.operations.operation import Cost, Operation, Parameter, Settings, TensorType

Types = tuple[TensorType, ...]

DIVISOR = 8
REDUCTION = 4


def make_divisible(value: float, divisor: int = DIVISOR) -> int:
    """The multiple of ``divisor`` nearest to a width, at least one, and not below 90 % of it.

    As in the reference code of MobileNet (Sandler et al. 2018).
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def gate_channels(channels: int, reduction: int = REDUCTION) -> int:
    """Channels between the two layers of a squeeze-and-excite gate."""
    return make_divisible(channels // reduction)


def hidden_channels(channels: int, expand: float) -> int:
    """Channels inside an inverted residual."""
    return max(1, round(channels * expand))


def _gate_cost(channels: int, reduction: int) -> Cost:
    weight = 2 * channels * gate_channels(channels, reduction)
    return Cost(weight + gate_channels(channels, reduction) + channels, weight)


def _gate_shape(s: Settings, inputs: Types) -> TensorType:
    expect("squeeze_excite", inputs[0], 3)
    return inputs[0]


def _residual_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("inverted_residual", x, 3)
    kernel = s["kernel"]
    sizes = slid("inverted_residual", x, kernel, s["stride"], padding(kernel))
    return TensorType((s["channels"], *sizes))


def _residual_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    (x,) = inputs
    hidden = hidden_channels(x.channels, s["expand"])
    places = output.shape[1] * output.shape[2]
    cost = Cost()
    if s["expand"] != 1:
        weight = x.channels * hidden
        cost += Cost(weight + 2 * hidden, weight * x.shape[1] * x.shape[2])
    depthwise = hidden * s["kernel"] ** 2
    cost += Cost(depthwise + 2 * hidden, depthwise * places)
    if s["se"]:
        cost += _gate_cost(hidden, REDUCTION)
    weight = hidden * s["channels"]
    return cost + Cost(weight + 2 * s["channels"], weight * places)


MOBILE = (
    Operation(
        "squeeze_excite",
        "Scales each channel by a gate computed from all channel means (Hu et al. 2018), with a "
        "hard sigmoid as in MobileNetV3.",
        (Parameter("reduction", "int", REDUCTION, 1, doc="how much narrower the gate is"),),
        _gate_shape,
        lambda s, inputs, output: _gate_cost(inputs[0].channels, s["reduction"]),
        zero=lambda s: True,
    ),
    Operation(
        "inverted_residual",
        "Expand by a 1x1 convolution, filter each channel, project back; adds its input where "
        "the shape stays (MobileNetV3; no expansion layer when expand is 1).",
        (
            CHANNELS,
            Parameter("kernel", "int", 3, 1, doc="side of the depthwise window"),
            Parameter("expand", "float", minimum=0.01, doc="inner channels by input channels"),
            STRIDE,
            Parameter("se", "bool", False, doc="gate the inner channels by squeeze and excite"),
            Parameter("act", "name", "relu", values=GATED_BY, doc="activation inside"),
        ),
        _residual_shape,
        _residual_cost,
    ),
)
