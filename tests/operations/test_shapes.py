"""Shape rules: sizes by hand, and what is said of inputs that do not fit."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from nasdsl.operations import Cost, Operation, ShapeError, TensorType, lookup, resolve


def operation(name: str) -> Operation:
    found = lookup(name)
    assert found is not None
    return found


def shape(name: str, *types: TensorType, **settings: Any) -> tuple[int, ...]:
    facts = operation(name)
    return facts.shape(resolve(facts, (), settings), types).shape


def cost(name: str, *types: TensorType, **settings: Any) -> Cost:
    facts = operation(name)
    values = resolve(facts, (), settings)
    return facts.cost(values, types, facts.shape(values, types))


IMAGE = TensorType((3, 32, 24))
SEQUENCE = TensorType((50, 9))
VECTOR = TensorType((10,))
TOKENS = TensorType((7,), "int")


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_odd_windows_keep_sizes(kernel: int, dilation: int) -> None:
    assert shape("conv", IMAGE, channels=8, kernel=kernel, dilation=dilation) == (8, 32, 24)
    assert shape("depthwise", SEQUENCE, kernel=kernel, dilation=dilation) == (50, 9)


def test_strides_divide_sizes() -> None:
    assert shape("conv", IMAGE, channels=8, kernel=3, stride=2) == (8, 16, 12)
    assert shape("conv", SEQUENCE, channels=8, kernel=3, stride=2) == (25, 8)
    assert shape("maxpool", IMAGE, kernel=2) == (3, 16, 12)
    assert shape("avgpool", IMAGE, kernel=3, stride=1) == (3, 32, 24)
    assert shape("factorized_reduction", IMAGE, channels=6) == (6, 16, 12)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [2, 3, 4])
def test_transposed_convolution_multiplies_sizes(kernel: int, stride: int) -> None:
    grown = shape("conv_transpose", IMAGE, channels=4, kernel=kernel, stride=stride)
    assert grown == (4, 32 * stride, 24 * stride)


def test_transposed_convolution_at_stride_one() -> None:
    assert shape("conv_transpose", IMAGE, channels=4, kernel=3, stride=1) == (4, 32, 24)
    assert shape("conv_transpose", IMAGE, channels=4, kernel=2, stride=1) == (4, 33, 25)


def test_other_sizes() -> None:
    assert shape("linear", SEQUENCE, features=4) == (50, 4)
    assert shape("linear", VECTOR, features=4) == (4,)
    assert shape("flatten", IMAGE) == (3 * 32 * 24,)
    assert shape("global_avgpool", IMAGE) == (3,)
    assert shape("global_maxpool", SEQUENCE) == (9,)
    assert shape("embedding", TOKENS, vocab=100, dim=12) == (7, 12)
    assert shape("patch_embed", IMAGE, dim=64, patch=8) == (12, 64)
    assert shape("class_token", SEQUENCE) == (51, 9)
    assert shape("take_token", SEQUENCE) == (9,)
    assert shape("upsample", IMAGE) == (3, 64, 48)
    assert shape("concat", IMAGE, TensorType((5, 32, 24))) == (8, 32, 24)
    assert shape("concat", SEQUENCE, TensorType((50, 1))) == (50, 10)
    assert shape("first", IMAGE, VECTOR) == (3, 32, 24)


def test_costs_by_hand() -> None:
    assert cost("conv", IMAGE, channels=8, kernel=3) == Cost(8 * 27 + 8, 8 * 27 * 32 * 24)
    assert cost("attention", SEQUENCE, heads=2, dim=16) == Cost(
        9 * 48 + 48 + 16 * 9 + 9, 50 * (9 * 48 + 16 * 9) + 2 * 50 * 50 * 16
    )
    assert cost("bn", IMAGE) == Cost(6, 0)
    assert cost("bn", IMAGE, affine=False) == Cost(0, 0)
    # An inverted residual of the once-for-all network: 24 -> 40, kernel 5, expand 3, gate 24.
    hidden, gate = 72, 24
    params = (24 + 25 + 40) * hidden + 4 * hidden + 80 + 2 * hidden * gate + hidden + gate
    macs = 24 * hidden * 56 * 56 + (25 + 40) * hidden * 28 * 28 + 2 * hidden * gate
    assert cost(
        "inverted_residual",
        TensorType((24, 56, 56)),
        channels=40,
        kernel=5,
        expand=3,
        stride=2,
        se=True,
    ) == Cost(params, macs)


WRONG = [
    ("linear", (IMAGE,), {"features": 3},
     "linear needs a vector [F] or a sequence [T, F], found the image [3, 32, 24]; "
     "put flatten or global_avgpool first"),
    ("conv", (VECTOR,), {"channels": 3, "kernel": 1},
     "conv needs an image [C, H, W] or a sequence [T, F], found the vector [10]"),
    ("conv", (IMAGE,), {"channels": 4, "kernel": 3, "groups": 2},
     "conv needs its input channels to be a multiple of groups 2, found 3"),
    ("conv", (IMAGE,), {"channels": 4, "kernel": 3, "groups": 3},
     "conv needs its output channels to be a multiple of groups 3, found 4"),
    ("maxpool", (TensorType((3, 1, 8)),), {"kernel": 2},
     "maxpool with kernel 2 does not fit the image [3, 1, 8]"),
    ("conv", (TensorType((3, 1, 8)),), {"channels": 4, "kernel": 2, "dilation": 3},
     "conv with kernel 2 and dilation 3 does not fit the image [3, 1, 8]"),
    ("add", (TensorType((16, 8, 8)), TensorType((8, 8, 8)), TensorType((16, 8, 8))), {},
     "add needs inputs of one shape, found [16, 8, 8] and [8, 8, 8]"),
    ("mul", tuple(TensorType((n,)) for n in range(1, 8)), {},
     "mul needs inputs of one shape, found [1], [2], [3] and 4 more"),
    ("concat", (IMAGE, VECTOR), {},
     "concat needs inputs of one kind, found the image [3, 32, 24] and the vector [10]"),
    ("concat", (IMAGE, TensorType((3, 16, 24))), {},
     "concat joins channels and needs inputs of one height and width, "
     "found [3, 32, 24] and [3, 16, 24]"),
    ("relu", (TOKENS,), {},
     "relu needs real numbers, found the vector int[7]; put an embedding first"),
    ("add", (TOKENS, TOKENS), {},
     "add needs real numbers, found the vector int[7]; put an embedding first"),
    ("embedding", (VECTOR,), {"vocab": 3, "dim": 3},
     "embedding needs whole numbers int[T], found the vector [10]"),
    ("attention", (SEQUENCE,), {"heads": 3, "dim": 16},
     "attention needs dim to be a multiple of heads 3, found 16"),
    ("patch_embed", (IMAGE,), {"dim": 3, "patch": 5},
     "patch_embed needs height and width to be multiples of patch 5, found the image [3, 32, 24]"),
    ("take_token", (SEQUENCE,), {"index": 50},
     "take_token(50) counts tokens from 0, found the sequence [50, 9]"),
    ("factorized_reduction", (TensorType((3, 7, 8)),), {"channels": 8},
     "factorized_reduction needs an even height and width, since it joins the even and the odd "
     "places; found the image [3, 7, 8]"),
    ("factorized_reduction", (IMAGE,), {"channels": 7},
     "factorized_reduction needs an even number of output channels, found 7"),
    ("groupnorm", (VECTOR,), {"groups": 10},
     "groupnorm needs more than one value in a group, found 10 groups in the vector [10]"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "types", "settings", "message"), WRONG)
def test_messages(
    name: str, types: tuple[TensorType, ...], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ShapeError) as caught:
        shape(name, *types, **settings)
    assert str(caught.value) == message


def test_operations_do_not_load_torch() -> None:
    code = "import sys, nasdsl.operations; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
