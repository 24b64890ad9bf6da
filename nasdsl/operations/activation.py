"""Activations: they keep the type and learn nothing."""

from __future__ import annotations

from collections.abc import Callable

from nasdsl.operations.expectation import expect
from nasdsl.operations.operation import Operation, Parameter, Settings, TensorType


def _keeps(name: str) -> Callable[[Settings, tuple[TensorType, ...]], TensorType]:
    def shape(settings: Settings, inputs: tuple[TensorType, ...]) -> TensorType:
        expect(name, inputs[0], 3, 2, 1)
        return inputs[0]

    return shape


def _activation(name: str, doc: str, zero: bool, *parameters: Parameter) -> Operation:
    return Operation(name, doc, parameters, _keeps(name), zero=lambda s: zero)


ACTIVATION = (
    _activation("relu", "max(x, 0).", True),
    _activation("relu6", "min(max(x, 0), 6).", True),
    _activation(
        "leaky_relu",
        "x where positive, slope * x elsewhere.",
        True,
        Parameter("slope", "float", 0.01, doc="of the negative side"),
    ),
    _activation("elu", "x where positive, exp(x) - 1 elsewhere (Clevert et al. 2016).", True),
    _activation("gelu", "x times the normal distribution function (Hendrycks 2016).", True),
    _activation("silu", "x * sigmoid(x), also known as swish.", True),
    _activation("hswish", "x * relu6(x + 3) / 6 (MobileNetV3, Howard et al. 2019).", True),
    _activation("hsigmoid", "relu6(x + 3) / 6.", False),
    _activation("sigmoid", "1 / (1 + exp(-x)).", False),
    _activation("tanh", "The hyperbolic tangent.", True),
    _activation("softmax", "exp(x), scaled to sum to one over the channels.", False),
)

GATED_BY = ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hswish", "tanh")
"""Activations that an operation may take by name."""
