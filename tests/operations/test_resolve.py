"""From written values to settings, and what is said where they do not fit."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasdsl.operations import OPERATIONS, SettingError, lookup, resolve
from nasdsl.operations.operation import REQUIRED


def of(name: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    operation = lookup(name)
    assert operation is not None
    return resolve(operation, args, kwargs)


def test_defaults_and_order() -> None:
    settings = of("conv", 16, 3, bias=False, stride=2)
    assert list(settings.items()) == [
        ("channels", 16),
        ("kernel", 3),
        ("stride", 2),
        ("dilation", 1),
        ("groups", 1),
        ("bias", False),
    ]


def test_positional_and_named_values_are_the_same() -> None:
    assert of("conv", 16, 3, 2) == of("conv", stride=2, kernel=3, channels=16)


def test_pooling_strides_by_its_kernel_unless_told() -> None:
    assert of("maxpool", 3) == {"kernel": 3, "stride": 3}
    assert of("avgpool", 3, stride=1) == {"kernel": 3, "stride": 1}


def test_whole_floats_are_whole_numbers() -> None:
    """A width is often computed: ``linear(3.5 * 192)``."""
    features = of("linear", 3.5 * 192)["features"]
    assert features == 672
    assert type(features) is int
    expand = of("inverted_residual", 16, expand=3)["expand"]
    assert type(expand) is float


class Word(str):
    """As the language's bare words are: a kind of text."""


def test_words_become_plain_text() -> None:
    act = of("inverted_residual", 16, expand=3, act=Word("hswish"))["act"]
    assert act == "hswish"
    assert type(act) is str


WRONG = [
    ("conv", (), {}, "conv needs a value for 'channels'", "channels"),
    (
        "conv",
        (8, 3),
        {"strid": 2},
        "conv has no parameter 'strid'; did you mean 'stride'?",
        "strid",
    ),
    ("bn", (), {"x": 1}, "bn has no parameter 'x'; it takes affine, eps, momentum", "x"),
    ("relu", (), {"x": 1}, "relu has no parameter 'x'; it takes none", "x"),
    ("relu", (1,), {}, "relu takes no values, found 1", None),
    ("linear", (1, True, 2), {}, "linear takes at most 2 values (features, bias), found 3", None),
    ("dropout", (0.1, 2), {}, "dropout takes at most 1 value (p), found 2", None),
    ("conv", (8, 3), {"kernel": 3}, "'kernel' of conv is given twice", "kernel"),
    ("conv", (8, 2.5), {}, "'kernel' of conv must be a whole number, found 2.5", "kernel"),
    ("conv", (True, 3), {}, "'channels' of conv must be a whole number, found true", "channels"),
    ("conv", (8, 3), {"bias": 1}, "'bias' of conv must be true or false, found 1", "bias"),
    ("conv", (0, 3), {}, "'channels' of conv must be at least 1, found 0", "channels"),
    ("conv", (-2.0, 3), {}, "'channels' of conv must be at least 1, found -2.0", "channels"),
    ("dropout", (1.5,), {}, "'p' of dropout must be at most 1, found 1.5", "p"),
    ("dropout", (-0.5,), {}, "'p' of dropout must be at least 0, found -0.5", "p"),
    ("dropout", (math.nan,), {}, "'p' of dropout must be a number, found nan", "p"),
    ("dropout", ("much",), {}, "'p' of dropout must be a number, found 'much'", "p"),
    ("bn", (), {"momentum": 2}, "'momentum' of bn must be at most 1, found 2.0", "momentum"),
    ("conv", (math.inf, 3), {}, "'channels' of conv must be a whole number, found inf", "channels"),
    (
        "conv",
        ((1, 2), 3),
        {},
        "'channels' of conv must be a whole number, found a set",
        "channels",
    ),
    (
        "conv",
        (2**31, 3),
        {},
        "'channels' of conv must be at most 2147483647, found 2147483648",
        "channels",
    ),
    (
        "conv",
        (10**5000, 3),
        {},
        "'channels' of conv must be at most 2147483647, found a number of more than thirty digits",
        "channels",
    ),
    (
        "dropout",
        (10**5000,),
        {},
        "'p' of dropout must be a number, found a number of more than thirty digits",
        "p",
    ),
    (
        "inverted_residual",
        (8,),
        {"expand": 2, "act": "hswich"},
        "'act' of inverted_residual must be one of relu, relu6, leaky_relu, elu, gelu, silu, "
        "hswish, tanh, found 'hswich'; did you mean 'hswish'?",
        "act",
    ),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "message", "parameter"), WRONG)
def test_messages(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], message: str, parameter: str | None
) -> None:
    with pytest.raises(SettingError) as caught:
        of(name, *args, **kwargs)
    assert (caught.value.message, caught.value.parameter) == (message, parameter)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.message, again.parameter) == (message, parameter)


VALUES = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.none(),
    st.tuples(st.integers()),
    st.sampled_from(["relu", "hswish", 1, 2, 3, 0.5]),
)


@given(
    st.sampled_from(sorted(OPERATIONS)),
    st.lists(VALUES, max_size=3),
    st.dictionaries(st.sampled_from(["kernel", "channels", "bias", "p", "act", "x"]), VALUES),
)
def test_any_values_give_settings_of_the_right_kind_or_a_sentence(
    name: str, args: list[Any], kwargs: dict[str, Any]
) -> None:
    operation = OPERATIONS[name]
    kinds = {"int": int, "float": float, "bool": bool, "name": str}
    try:
        settings = resolve(operation, args, kwargs)
    except SettingError as error:
        assert error.message
        assert "\n" not in error.message or any("\n" in str(v) for v in [*args, *kwargs.values()])
        return
    assert list(settings) == [p.name for p in operation.parameters]
    for parameter in operation.parameters:
        value = settings[parameter.name]
        assert type(value) is kinds[parameter.kind]
        assert parameter.minimum is None or value >= parameter.minimum
        assert not parameter.values or value in parameter.values


def test_settings_resolve_to_themselves() -> None:
    settings = of("inverted_residual", 24, expand=4, stride=2, se=True, act="hswish")
    assert of("inverted_residual", **settings) == settings


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_the_table_is_fit_to_be_read(operation: Any) -> None:
    """Each operation and parameter is documented, and each default is a value it could be given."""
    assert operation.name.isidentifier()
    assert operation.doc.endswith(".")
    fewest, most = operation.arity
    assert fewest >= 1
    assert most is None or fewest <= most
    for parameter in operation.parameters:
        assert parameter.doc
        assert parameter.name.isidentifier()
        if parameter.default is not REQUIRED and parameter.default is not None:
            assert resolve_default(parameter) == parameter.default


def resolve_default(parameter: Any) -> Any:
    from nasdsl.operations import Operation

    alone = Operation("alone", "Takes one value.", (parameter,), lambda s, i: i[0])
    return resolve(alone, (parameter.default,))[parameter.name]
