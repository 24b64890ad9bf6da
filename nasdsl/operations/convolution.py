"""Convolutions: over height and width of an image, or over the time of a sequence.

Padding is ``dilation * (kernel - 1) // 2`` on each side, which keeps sizes at stride 1 for odd
kernels.
"""

from __future__ import annotations

from nasdsl.operations.expectation import (
    described,
    divisible,
    expect,
    positions,
    slid,
    with_channels,
)
from nasdsl.operations.operation import (
    Cost,
    Operation,
    Parameter,
    Settings,
    ShapeError,
    TensorType,
)

Types = tuple[TensorType, ...]

CHANNELS = Parameter("channels", "int", minimum=1, doc="output channels (features of a sequence)")
KERNEL = Parameter("kernel", "int", minimum=1, doc="side of the window")
STRIDE = Parameter("stride", "int", 1, 1, doc="step of the window")
DILATION = Parameter("dilation", "int", 1, 1, doc="distance between the taps of the window")
GROUPS = Parameter("groups", "int", 1, 1, doc="groups of channels that do not mix")
BIAS = Parameter("bias", "bool", True, doc="add a learned constant to each output channel")


def padding(kernel: int, dilation: int = 1) -> int:
    """Padding on each side of a window."""
    return dilation * (kernel - 1) // 2


def output_padding(kernel: int, stride: int) -> int:
    """What a transposed convolution adds at the end, so that sizes grow by the stride.

    With padding ``p`` a size ``n`` becomes ``(n - 1) stride - 2 p + kernel`` plus this; it
    makes that ``n stride`` except for an even kernel at stride 1, where one more remains.
    """
    return max(0, stride - kernel + 2 * padding(kernel))


def _no_bias(settings: Settings) -> bool:
    return not settings["bias"]


def _places(type: TensorType) -> int:
    product = 1
    for size in positions(type):
        product *= size
    return product


def _area(type: TensorType, kernel: int) -> int:
    return int(kernel ** len(positions(type)))


def _conv_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("conv", x, 3, 2)
    divisible("conv", "its input channels", x.channels, s["groups"], "groups")
    divisible("conv", "its output channels", s["channels"], s["groups"], "groups")
    pad = padding(s["kernel"], s["dilation"])
    sizes = slid("conv", x, s["kernel"], s["stride"], pad, s["dilation"])
    return with_channels(s["channels"], sizes)


def _conv_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    (x,) = inputs
    weight = s["channels"] * (x.channels // s["groups"]) * _area(x, s["kernel"])
    return Cost(weight + s["bias"] * s["channels"], weight * _places(output))


def _transpose_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("conv_transpose", x, 3, 2)
    kernel, stride = s["kernel"], s["stride"]
    grow = kernel - 2 * padding(kernel) + output_padding(kernel, stride)
    return with_channels(s["channels"], tuple((n - 1) * stride + grow for n in positions(x)))


def _transpose_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    (x,) = inputs
    weight = x.channels * s["channels"] * _area(x, s["kernel"])
    return Cost(weight + s["bias"] * s["channels"], weight * _places(x))


def _depthwise_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("depthwise", x, 3, 2)
    pad = padding(s["kernel"], s["dilation"])
    sizes = slid("depthwise", x, s["kernel"], s["stride"], pad, s["dilation"])
    return with_channels(x.channels, sizes)


def _depthwise_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    (x,) = inputs
    weight = x.channels * _area(x, s["kernel"])
    return Cost(weight + s["bias"] * x.channels, weight * _places(output))


def _separable_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("separable", x, 3, 2)
    pad = padding(s["kernel"], s["dilation"])
    sizes = slid("separable", x, s["kernel"], s["stride"], pad, s["dilation"])
    return with_channels(s["channels"], sizes)


def _separable_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    (x,) = inputs
    weight = x.channels * _area(x, s["kernel"]) + x.channels * s["channels"]
    return Cost(weight + s["bias"] * s["channels"], weight * _places(output))


def _factorized_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("factorized_reduction", x, 3)
    if s["channels"] % 2:
        raise ShapeError(
            f"factorized_reduction needs an even number of output channels, found {s['channels']}"
        )
    height, width = positions(x)
    if height % 2 or width % 2:
        raise ShapeError(
            "factorized_reduction needs an even height and width, since it joins the even and "
            f"the odd places; found {described(x)}"
        )
    return TensorType((s["channels"], height // 2, width // 2))


def _factorized_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    weight = inputs[0].channels * s["channels"]
    return Cost(weight + 2 * s["channels"], weight * _places(output))


CONVOLUTION = (
    Operation(
        "conv",
        "Convolution over the height and width of an image, or over the time of a sequence.",
        (CHANNELS, KERNEL, STRIDE, DILATION, GROUPS, BIAS),
        _conv_shape,
        _conv_cost,
        zero=_no_bias,
    ),
    Operation(
        "conv_transpose",
        "Transposed convolution, which enlarges height and width, or time, by its stride.",
        (
            CHANNELS,
            KERNEL,
            Parameter("stride", "int", 2, 1, doc="how much larger the output is"),
            BIAS,
        ),
        _transpose_shape,
        _transpose_cost,
        zero=_no_bias,
    ),
    Operation(
        "depthwise",
        "Convolution of each channel by itself.",
        (KERNEL, STRIDE, DILATION, BIAS),
        _depthwise_shape,
        _depthwise_cost,
        zero=_no_bias,
    ),
    Operation(
        "separable",
        "Depthwise convolution without bias, then a 1x1 convolution to the output channels.",
        (CHANNELS, KERNEL, STRIDE, DILATION, BIAS),
        _separable_shape,
        _separable_cost,
        zero=_no_bias,
    ),
    Operation(
        "factorized_reduction",
        "Halves height and width: relu, two 1x1 convolutions of stride 2 on the even and the odd "
        "places, joined, bn (DARTS, Liu et al. 2019).",
        (CHANNELS,),
        _factorized_shape,
        _factorized_cost,
    ),
)
