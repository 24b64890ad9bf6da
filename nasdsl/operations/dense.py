"""Linear layers and embeddings."""

from __future__ import annotations

from nasdsl.operations.expectation import described, expect
from nasdsl.operations.operation import (
    Cost,
    Operation,
    Parameter,
    Settings,
    ShapeError,
    TensorType,
)

Types = tuple[TensorType, ...]


def _linear_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("linear", x, 1, 2, hint="put flatten or global_avgpool first")
    return TensorType((*x.shape[:-1], s["features"]))


def _linear_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    (x,) = inputs
    weight = x.channels * s["features"]
    return Cost(weight + s["bias"] * s["features"], x.size * s["features"])


def _embedding_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    if x.dtype != "int" or len(x.shape) != 1:
        raise ShapeError(f"embedding needs whole numbers int[T], found {described(x)}")
    return TensorType((*x.shape, s["dim"]))


DENSE = (
    Operation(
        "linear",
        "A linear map of a vector, or of each token of a sequence.",
        (
            Parameter("features", "int", minimum=1, doc="output features"),
            Parameter("bias", "bool", True, doc="add a learned constant to each feature"),
        ),
        _linear_shape,
        _linear_cost,
        zero=lambda s: not s["bias"],
    ),
    Operation(
        "embedding",
        "A learned vector for each whole number: tokens [T] become a sequence [T, dim].",
        (
            Parameter("vocab", "int", minimum=1, doc="how many numbers there are, from 0"),
            Parameter("dim", "int", minimum=1, doc="features of a token"),
        ),
        _embedding_shape,
        lambda s, inputs, output: Cost(s["vocab"] * s["dim"]),
    ),
)
