"""The code of the operations: one builder for each name of the table of facts."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from nasdsl.compiler.modules.attention import (
    ClassToken,
    PatchEmbedding,
    PositionEmbedding,
    SelfAttention,
)
from nasdsl.compiler.modules.mobile import InvertedResidual, SqueezeExcite
from nasdsl.compiler.modules.normalization import ChannelLayerNorm
from nasdsl.compiler.modules.reduction import FactorizedReduction
from nasdsl.compiler.modules.separable import SeparableConv, SequenceSeparableConv
from nasdsl.compiler.modules.sequence import (
    SequenceAvgPool,
    SequenceBatchNorm,
    SequenceConv,
    SequenceConvTranspose,
    SequenceGroupNorm,
    SequenceMaxPool,
)
from nasdsl.compiler.recipe import Builder, Call, Function, Module
from nasdsl.operations import convolution, pooling
from nasdsl.operations.mobile import REDUCTION, gate_channels, hidden_channels
from nasdsl.operations.operation import Settings, TensorType

Types = tuple[TensorType, ...]
Operands = tuple[fx.Node, ...]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hswish": nn.Hardswish,
    "hsigmoid": nn.Hardsigmoid,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def _rank(types: Types) -> int:
    return len(types[0].shape)


def _unusual(**values: tuple[Any, Any]) -> dict[str, Any]:
    """Arguments that differ from the default beside them, so that written code stays short."""
    return {name: value for name, (value, default) in values.items() if value != default}


# Convolutions


def _conv(s: Settings, inputs: Types, output: TensorType) -> Module:
    return _convolution(
        inputs, s["channels"], s["kernel"], s["stride"], s["dilation"], s["groups"], s["bias"]
    )


def _depthwise(s: Settings, inputs: Types, output: TensorType) -> Module:
    channels = inputs[0].channels
    return _convolution(
        inputs, channels, s["kernel"], s["stride"], s["dilation"], channels, s["bias"]
    )


def _convolution(
    inputs: Types, channels: int, kernel: int, stride: int, dilation: int, groups: int, bias: bool
) -> Module:
    return Module(
        nn.Conv2d if _rank(inputs) == 3 else SequenceConv,
        (inputs[0].channels, channels, kernel),
        _unusual(
            stride=(stride, 1),
            padding=(convolution.padding(kernel, dilation), 0),
            dilation=(dilation, 1),
            groups=(groups, 1),
            bias=(bias, True),
        ),
    )


def _conv_transpose(s: Settings, inputs: Types, output: TensorType) -> Module:
    kernel, stride = s["kernel"], s["stride"]
    return Module(
        nn.ConvTranspose2d if _rank(inputs) == 3 else SequenceConvTranspose,
        (inputs[0].channels, s["channels"], kernel),
        _unusual(
            stride=(stride, 1),
            padding=(convolution.padding(kernel), 0),
            output_padding=(convolution.output_padding(kernel, stride), 0),
            bias=(s["bias"], True),
        ),
    )


def _separable(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(
        SeparableConv if _rank(inputs) == 3 else SequenceSeparableConv,
        (inputs[0].channels, s["channels"], s["kernel"]),
        _unusual(stride=(s["stride"], 1), dilation=(s["dilation"], 1), bias=(s["bias"], True)),
    )


def _factorized_reduction(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(FactorizedReduction, (inputs[0].channels, s["channels"]))


# Normalizations


def _bn(s: Settings, inputs: Types, output: TensorType) -> Module:
    classes = {1: nn.BatchNorm1d, 2: SequenceBatchNorm, 3: nn.BatchNorm2d}
    return Module(
        classes[_rank(inputs)],
        (inputs[0].channels,),
        _unusual(eps=(s["eps"], 1e-5), momentum=(s["momentum"], 0.1), affine=(s["affine"], True)),
    )


def _layernorm(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(
        ChannelLayerNorm if _rank(inputs) == 3 else nn.LayerNorm,
        (inputs[0].channels,),
        _unusual(eps=(s["eps"], 1e-5), elementwise_affine=(s["affine"], True)),
    )


def _groupnorm(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(
        SequenceGroupNorm if _rank(inputs) == 2 else nn.GroupNorm,
        (s["groups"], inputs[0].channels),
        _unusual(eps=(s["eps"], 1e-5), affine=(s["affine"], True)),
    )


# Activations


def _activation(name: str) -> Builder:
    return lambda s, inputs, output: Module(ACTIVATIONS[name])


def _leaky_relu(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(nn.LeakyReLU, (), _unusual(negative_slope=(s["slope"], 0.01)))


def _softmax(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(nn.Softmax, (), {"dim": 1 if _rank(inputs) == 3 else -1})


# Pooling


def _maxpool(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(
        nn.MaxPool2d if _rank(inputs) == 3 else SequenceMaxPool, (s["kernel"],), _window(s)
    )


def _avgpool(s: Settings, inputs: Types, output: TensorType) -> Module:
    window = _window(s)
    if "padding" in window:
        window["count_include_pad"] = False
    return Module(nn.AvgPool2d if _rank(inputs) == 3 else SequenceAvgPool, (s["kernel"],), window)


def _window(s: Settings) -> dict[str, Any]:
    return _unusual(stride=(s["stride"], s["kernel"]), padding=(pooling.padding(s["kernel"]), 0))


def _global(reduction: Callable[..., torch.Tensor]) -> Builder:
    def build(s: Settings, inputs: Types, output: TensorType) -> Function:
        places = (2, 3) if _rank(inputs) == 3 else 1
        return Function(lambda call, x: call(reduction, x[0], places))

    return build


# Linear maps, attention, mobile blocks


def _linear(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(nn.Linear, (inputs[0].channels, s["features"]), _unusual(bias=(s["bias"], True)))


def _embedding(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(nn.Embedding, (s["vocab"], s["dim"]))


def _attention(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(SelfAttention, (inputs[0].channels,), {"heads": s["heads"], "dim": s["dim"]})


def _patch_embed(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(PatchEmbedding, (inputs[0].channels, s["dim"]), {"patch": s["patch"]})


def _class_token(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(ClassToken, (inputs[0].channels,))


def _position_embedding(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(PositionEmbedding, inputs[0].shape)


def _take_token(s: Settings, inputs: Types, output: TensorType) -> Function:
    return Function(lambda call, x: call(torch.select, x[0], 1, s["index"]))


def _squeeze_excite(s: Settings, inputs: Types, output: TensorType) -> Module:
    channels = inputs[0].channels
    return Module(SqueezeExcite, (channels, gate_channels(channels, s["reduction"])))


def _inverted_residual(s: Settings, inputs: Types, output: TensorType) -> Module:
    channels = inputs[0].channels
    hidden = hidden_channels(channels, s["expand"])
    return Module(
        InvertedResidual,
        (channels, s["channels"], hidden, s["kernel"]),
        _unusual(
            stride=(s["stride"], 1),
            expand=(s["expand"] != 1, True),
            gate=(gate_channels(hidden, REDUCTION) if s["se"] else 0, 0),
            act=(ACTIVATIONS[s["act"]], nn.ReLU),
        ),
    )


# Shapes


def _dropout(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(nn.Dropout, (s["p"],))


def _flatten(s: Settings, inputs: Types, output: TensorType) -> Function:
    return Function(lambda call, x: call(torch.flatten, x[0], 1))


def _upsample(s: Settings, inputs: Types, output: TensorType) -> Module | Function:
    factor = s["factor"]
    if _rank(inputs) == 3:
        return Module(nn.Upsample, (), {"scale_factor": factor})
    return Function(lambda call, x: call(torch.repeat_interleave, x[0], factor, dim=1))


def _channel_shuffle(s: Settings, inputs: Types, output: TensorType) -> Module:
    return Module(nn.ChannelShuffle, (s["groups"],))


# Combining


def _first(s: Settings, inputs: Types, output: TensorType) -> Function:
    return Function(lambda call, x: x[0])


def _zero(s: Settings, inputs: Types, output: TensorType) -> Function:
    """Zeros of the type of the node, which take only the batch size from the operand."""
    if inputs[0] == output:
        return Function(lambda call, x: call(torch.zeros_like, x[0]))

    def emit(call: Call, x: Operands) -> fx.Node:
        size = (call("size", x[0], 0, part=True), *output.shape)
        if inputs[0].dtype == output.dtype:
            return call("new_zeros", x[0], size)
        return call("new_zeros", x[0], size, dtype=_DTYPES[output.dtype])

    return Function(emit)


_DTYPES = {"float": torch.float32, "int": torch.int64}


def _folded(function: Callable[[Any, Any], Any]) -> Builder:
    """A function of two operands, from the first operand to the last."""

    def emit(call: Call, x: Operands) -> fx.Node:
        result = x[0]
        for operand in x[1:]:
            result = call(function, result, operand, part=operand is not x[-1])
        return result

    return lambda s, inputs, output: Function(emit)


def _mean(s: Settings, inputs: Types, output: TensorType) -> Function:
    def emit(call: Call, x: Operands) -> fx.Node:
        result = x[0]
        for operand in x[1:]:
            result = call(operator.add, result, operand, part=True)
        return call(operator.truediv, result, len(x)) if len(x) > 1 else result

    return Function(emit)


def _concat(s: Settings, inputs: Types, output: TensorType) -> Function:
    dim = 1 if _rank(inputs) == 3 else -1
    return Function(lambda call, x: call(torch.cat, list(x), dim=dim) if len(x) > 1 else x[0])


CODE: dict[str, Builder] = {
    "identity": _first,
    "zero": _zero,
    "dropout": _dropout,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "depthwise": _depthwise,
    "separable": _separable,
    "factorized_reduction": _factorized_reduction,
    "bn": _bn,
    "layernorm": _layernorm,
    "groupnorm": _groupnorm,
    **{name: _activation(name) for name in ACTIVATIONS},
    "leaky_relu": _leaky_relu,
    "softmax": _softmax,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "global_avgpool": _global(torch.mean),
    "global_maxpool": _global(torch.amax),
    "linear": _linear,
    "embedding": _embedding,
    "attention": _attention,
    "patch_embed": _patch_embed,
    "class_token": _class_token,
    "position_embedding": _position_embedding,
    "take_token": _take_token,
    "squeeze_excite": _squeeze_excite,
    "inverted_residual": _inverted_residual,
    "flatten": _flatten,
    "upsample": _upsample,
    "channel_shuffle": _channel_shuffle,
    "add": _folded(operator.add),
    "mul": _folded(operator.mul),
    "mean": _mean,
    "concat": _concat,
    "first": _first,
}
