"""Uses of every operation, drawn by hypothesis: input types and settings that may fit."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nasdsl.operations import TensorType

Use = tuple[str, tuple[TensorType, ...], dict[str, Any]]

CHANNELS = st.integers(1, 12)
SIDES = st.integers(1, 9)
BOOLS = st.booleans()
IMAGE = st.builds(lambda c, h, w: TensorType((c, h, w)), CHANNELS, SIDES, SIDES)
SEQUENCE = st.builds(lambda t, f: TensorType((t, f)), SIDES, CHANNELS)
VECTOR = st.builds(lambda f: TensorType((f,)), CHANNELS)
TOKENS = st.builds(lambda t: TensorType((t,), "int"), SIDES)
PLACED = IMAGE | SEQUENCE
ANY = PLACED | VECTOR
EVEN = st.builds(
    lambda c, h, w: TensorType((c, 2 * h, 2 * w)), CHANNELS, st.integers(1, 4), st.integers(1, 4)
)


def _several(kind: st.SearchStrategy[TensorType]) -> st.SearchStrategy[tuple[TensorType, ...]]:
    return st.builds(lambda x, n: (x,) * n, kind, st.integers(1, 4))


def _joinable(types: tuple[TensorType, list[int]]) -> tuple[TensorType, ...]:
    first, channels = types
    shape = first.shape
    if len(shape) == 3:
        return tuple(TensorType((c, *shape[1:])) for c in channels)
    return tuple(TensorType((*shape[:-1], c)) for c in channels)


def _one(kind: st.SearchStrategy[TensorType]) -> st.SearchStrategy[tuple[TensorType, ...]]:
    return st.tuples(kind)


WINDOW = {
    "kernel": st.integers(1, 7),
    "stride": st.integers(1, 4),
    "dilation": st.integers(1, 3),
    "bias": BOOLS,
}
EPS = st.sampled_from([1e-5, 1e-3])

PLAIN = (
    *("relu", "relu6", "elu", "gelu", "silu", "hswish", "hsigmoid", "sigmoid", "tanh", "softmax"),
    "flatten",
)

USES: dict[str, tuple[st.SearchStrategy[tuple[TensorType, ...]], dict[str, Any]]] = {
    "identity": (_one(ANY | TOKENS), {}),
    "zero": (_one(ANY | TOKENS), {}),
    "dropout": (_one(ANY), {"p": st.floats(0, 1)}),
    "conv": (
        _one(PLACED),
        {"channels": CHANNELS, "groups": st.sampled_from([1, 1, 2, 3]), **WINDOW},
    ),
    "conv_transpose": (
        _one(PLACED),
        {
            "channels": CHANNELS,
            "kernel": st.integers(1, 7),
            "stride": st.integers(1, 4),
            "bias": BOOLS,
        },
    ),
    "depthwise": (_one(PLACED), WINDOW),
    "separable": (_one(PLACED), {"channels": CHANNELS, **WINDOW}),
    "factorized_reduction": (_one(EVEN | EVEN | IMAGE), {"channels": st.sampled_from([2, 6, 7])}),
    "bn": (_one(ANY), {"affine": BOOLS, "eps": EPS, "momentum": st.sampled_from([0.1, 0.9])}),
    "layernorm": (_one(ANY), {"affine": BOOLS, "eps": EPS}),
    "groupnorm": (_one(ANY), {"groups": st.sampled_from([1, 2, 3]), "affine": BOOLS, "eps": EPS}),
    **{name: (_one(ANY), {}) for name in PLAIN},
    "leaky_relu": (_one(ANY), {"slope": st.sampled_from([0.01, 0.2])}),
    "maxpool": (_one(PLACED), {"kernel": st.integers(1, 5), "stride": st.integers(1, 4)}),
    "avgpool": (_one(PLACED), {"kernel": st.integers(1, 5), "stride": st.integers(1, 4)}),
    "global_avgpool": (_one(PLACED), {}),
    "global_maxpool": (_one(PLACED), {}),
    "linear": (_one(SEQUENCE | VECTOR), {"features": CHANNELS, "bias": BOOLS}),
    "embedding": (_one(TOKENS), {"vocab": st.integers(1, 20), "dim": CHANNELS}),
    "attention": (
        _one(SEQUENCE),
        {"heads": st.integers(1, 3), "dim": st.sampled_from([6, 12])},
    ),
    "patch_embed": (_one(EVEN | IMAGE), {"dim": CHANNELS, "patch": st.integers(1, 3)}),
    "class_token": (_one(SEQUENCE), {}),
    "position_embedding": (_one(SEQUENCE), {}),
    "take_token": (_one(SEQUENCE), {"index": st.integers(0, 9)}),
    "squeeze_excite": (_one(IMAGE), {"reduction": st.integers(1, 6)}),
    "inverted_residual": (
        _one(IMAGE),
        {
            "channels": CHANNELS,
            "kernel": st.integers(1, 6),
            "expand": st.sampled_from([0.5, 1, 1.5, 3, 6]),
            "stride": st.integers(1, 2),
            "se": BOOLS,
            "act": st.sampled_from(["relu", "hswish", "silu"]),
        },
    ),
    "upsample": (_one(PLACED), {"factor": st.integers(1, 3)}),
    "channel_shuffle": (_one(IMAGE), {"groups": st.sampled_from([1, 2, 3])}),
    "add": (_several(ANY), {}),
    "mul": (_several(ANY), {}),
    "mean": (_several(ANY), {}),
    "first": (st.lists(ANY, min_size=1, max_size=3).map(tuple), {}),
    "concat": (
        st.tuples(ANY, st.lists(CHANNELS, min_size=1, max_size=4)).map(_joinable),
        {},
    ),
}


def uses(name: str) -> st.SearchStrategy[Use]:
    """Uses of one operation; some of them are refused by its shape rule."""
    inputs, settings = USES[name]
    return st.tuples(st.just(name), inputs, st.fixed_dictionaries(settings))
