"""Operations of several inputs."""

from __future__ import annotations

from collections.abc import Callable

from nasdsl.operations.expectation import described, expect, positions, with_channels
from nasdsl.operations.operation import Operation, Settings, ShapeError, TensorType

Types = tuple[TensorType, ...]


def _alike(name: str) -> Callable[[Settings, Types], TensorType]:
    def shape(s: Settings, inputs: Types) -> TensorType:
        for x in inputs:
            expect(name, x, 1, 2, 3)
            if x.shape != inputs[0].shape:
                raise ShapeError(f"{name} needs inputs of one shape, found {_listed(inputs)}")
        return inputs[0]

    return shape


def _concat_shape(s: Settings, inputs: Types) -> TensorType:
    head = inputs[0]
    for x in inputs:
        expect("concat", x, 1, 2, 3)
        if len(x.shape) != len(head.shape):
            raise ShapeError(
                f"concat needs inputs of one kind, found {described(head)} and {described(x)}"
            )
        if positions(x) != positions(head):
            what = "height and width" if len(x.shape) == 3 else "length"
            raise ShapeError(
                f"concat joins channels and needs inputs of one {what}, found {_listed(inputs)}"
            )
    return with_channels(sum(x.channels for x in inputs), positions(head))


def _first_shape(s: Settings, inputs: Types) -> TensorType:
    return inputs[0]


def _listed(types: Types) -> str:
    """The different shapes among the inputs, in their order."""
    shapes = list(dict.fromkeys(map(str, types)))
    shown = shapes if len(shapes) <= 4 else [*shapes[:3], f"{len(shapes) - 3} more"]
    return ", ".join(shown[:-1]) + f" and {shown[-1]}"


def _all_zero(settings: Settings) -> bool:
    return True


COMBINE = (
    Operation(
        "add",
        "The sum of its inputs.",
        (),
        _alike("add"),
        arity=(1, None),
        commutative=True,
        zero=_all_zero,
    ),
    Operation(
        "mul",
        "The product of its inputs, value by value.",
        (),
        _alike("mul"),
        arity=(1, None),
        commutative=True,
        zero=_all_zero,
    ),
    Operation(
        "mean",
        "The mean of its inputs, value by value.",
        (),
        _alike("mean"),
        arity=(1, None),
        commutative=True,
        zero=_all_zero,
    ),
    Operation(
        "concat",
        "Its inputs, joined on channels (the features of sequences and vectors).",
        (),
        _concat_shape,
        arity=(1, None),
        zero=_all_zero,
    ),
    Operation(
        "first",
        "Its first input; the others are not used.",
        (),
        _first_shape,
        arity=(1, None),
        zero=_all_zero,
    ),
)
