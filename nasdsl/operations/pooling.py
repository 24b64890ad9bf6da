"""Pooling: over height and width of an image, or over the time of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nasdsl.operations.expectation import expect, slid, with_channels
from nasdsl.operations.operation import Operation, Parameter, Settings, TensorType

Shape = Callable[[Settings, tuple[TensorType, ...]], TensorType]

KERNEL = Parameter("kernel", "int", minimum=1, doc="side of the window")
STRIDE = Parameter("stride", "int", None, 1, doc="step of the window; the kernel unless given")


def padding(kernel: int) -> int:
    """Padding on each side of a pooling window; sizes stay at stride 1 for odd kernels."""
    return (kernel - 1) // 2


def _window(name: str) -> Shape:
    def shape(s: Settings, inputs: tuple[TensorType, ...]) -> TensorType:
        (x,) = inputs
        expect(name, x, 3, 2)
        return with_channels(
            x.channels, slid(name, x, s["kernel"], s["stride"], padding(s["kernel"]))
        )

    return shape


def _all(name: str) -> Shape:
    def shape(s: Settings, inputs: tuple[TensorType, ...]) -> TensorType:
        expect(name, inputs[0], 3, 2)
        return TensorType((inputs[0].channels,))

    return shape


def _stride(settings: dict[str, Any]) -> dict[str, Any]:
    if settings["stride"] is None:
        settings["stride"] = settings["kernel"]
    return settings


def _always(settings: Settings) -> bool:
    return True


POOLING = (
    Operation(
        "maxpool",
        "The largest value in each window; padding does not count.",
        (KERNEL, STRIDE),
        _window("maxpool"),
        zero=_always,
        complete=_stride,
    ),
    Operation(
        "avgpool",
        "The mean of each window; padding does not count.",
        (KERNEL, STRIDE),
        _window("avgpool"),
        zero=_always,
        complete=_stride,
    ),
    Operation(
        "global_avgpool",
        "The mean of each channel over all places: a vector.",
        (),
        _all("global_avgpool"),
        zero=_always,
    ),
    Operation(
        "global_maxpool",
        "The largest value of each channel over all places: a vector.",
        (),
        _all("global_maxpool"),
        zero=_always,
    ),
)
