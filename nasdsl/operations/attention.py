"""Attention and what transformers need around it."""

from __future__ import annotations

from nasdsl.operations.expectation import described, divisible, expect
from nasdsl.operations.operation import (
    Cost,
    Operation,
    Parameter,
    Settings,
    ShapeError,
    TensorType,
)

Types = tuple[TensorType, ...]

DIM = Parameter("dim", "int", minimum=1, doc="features of a token")


def _attention_shape(s: Settings, inputs: Types) -> TensorType:
    expect("attention", inputs[0], 2)
    divisible("attention", "dim", s["dim"], s["heads"], "heads")
    return inputs[0]


def _attention_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    tokens, features = inputs[0].shape
    dim = s["dim"]
    weight = 3 * dim * features + dim * features
    return Cost(weight + 3 * dim + features, tokens * weight + 2 * tokens * tokens * dim)


def _patch_shape(s: Settings, inputs: Types) -> TensorType:
    (x,) = inputs
    expect("patch_embed", x, 3)
    _, height, width = x.shape
    patch = s["patch"]
    if height % patch or width % patch:
        raise ShapeError(
            f"patch_embed needs height and width to be multiples of patch {patch}, "
            f"found {described(x)}"
        )
    return TensorType(((height // patch) * (width // patch), s["dim"]))


def _patch_cost(s: Settings, inputs: Types, output: TensorType) -> Cost:
    weight = s["dim"] * inputs[0].channels * s["patch"] ** 2
    return Cost(weight + s["dim"], weight * output.shape[0])


def _class_shape(s: Settings, inputs: Types) -> TensorType:
    expect("class_token", inputs[0], 2)
    tokens, features = inputs[0].shape
    return TensorType((tokens + 1, features))


def _position_shape(s: Settings, inputs: Types) -> TensorType:
    expect("position_embedding", inputs[0], 2)
    return inputs[0]


def _take_shape(s: Settings, inputs: Types) -> TensorType:
    expect("take_token", inputs[0], 2)
    tokens, features = inputs[0].shape
    if s["index"] >= tokens:
        raise ShapeError(
            f"take_token({s['index']}) counts tokens from 0, found {described(inputs[0])}"
        )
    return TensorType((features,))


ATTENTION = (
    Operation(
        "attention",
        "Multi-head self-attention: queries, keys and values of dim features in all, then a map "
        "back to the features of the input (Vaswani et al. 2017).",
        (
            Parameter("heads", "int", minimum=1, doc="number of heads; divides dim"),
            Parameter("dim", "int", minimum=1, doc="features of all heads together"),
        ),
        _attention_shape,
        _attention_cost,
    ),
    Operation(
        "patch_embed",
        "Cuts an image into square patches and maps each to a token (Dosovitskiy et al. 2021).",
        (DIM, Parameter("patch", "int", minimum=1, doc="side of a patch")),
        _patch_shape,
        _patch_cost,
    ),
    Operation(
        "class_token",
        "Puts a learned token before the others.",
        (),
        _class_shape,
        lambda s, inputs, output: Cost(output.shape[1]),
    ),
    Operation(
        "position_embedding",
        "Adds a learned vector to each token by its place.",
        (),
        _position_shape,
        lambda s, inputs, output: Cost(output.size),
    ),
    Operation(
        "take_token",
        "One token of a sequence: a vector.",
        (Parameter("index", "int", 0, 0, doc="which, from 0"),),
        _take_shape,
        zero=lambda s: True,
    ),
)
