"""What a shape rule expects of its inputs, and the sentences that say what was found."""

from __future__ import annotations

from nasdsl.operations.operation import ShapeError, TensorType

_KINDS = {1: "vector", 2: "sequence", 3: "image"}
_FORMS = {1: "a vector [F]", 2: "a sequence [T, F]", 3: "an image [C, H, W]"}


def described(type: TensorType) -> str:
    """A type with its kind, to end a message with: ``the image [3, 8, 8]``."""
    kind = _KINDS.get(len(type.shape), "tensor")
    return f"the {kind} {type}"


def expect(name: str, type: TensorType, *ranks: int, hint: str = "") -> None:
    """Raise :class:`ShapeError` unless the type is of real numbers and of one of the ranks."""
    if type.dtype != "float":
        raise ShapeError(
            f"{name} needs real numbers, found {described(type)}; put an embedding first"
        )
    if len(type.shape) not in ranks:
        forms = " or ".join(_FORMS[rank] for rank in ranks)
        advice = f"; {hint}" if hint else ""
        raise ShapeError(f"{name} needs {forms}, found {described(type)}{advice}")


def divisible(name: str, what: str, value: int, by: int, setting: str) -> None:
    """Raise :class:`ShapeError` unless ``value`` is a multiple of ``by``."""
    if value % by:
        raise ShapeError(f"{name} needs {what} to be a multiple of {setting} {by}, found {value}")


def slid(
    name: str, type: TensorType, kernel: int, stride: int, padding: int, dilation: int = 1
) -> tuple[int, ...]:
    """Sizes after a window slid over height and width, or over time.

    ``floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`` for each, as torch
    has it. Raises :class:`ShapeError` where the window is larger than the padded input.
    """
    reach = dilation * (kernel - 1) + 1
    sizes = []
    for size in positions(type):
        if size + 2 * padding < reach:
            wide = f" and dilation {dilation}" if dilation > 1 else ""
            raise ShapeError(f"{name} with kernel {kernel}{wide} does not fit {described(type)}")
        sizes.append((size + 2 * padding - reach) // stride + 1)
    return tuple(sizes)


def positions(type: TensorType) -> tuple[int, ...]:
    """Height and width of an image, the length of a sequence, nothing of a vector."""
    return type.shape[1:] if len(type.shape) == 3 else type.shape[:-1]


def with_channels(channels: int, places: tuple[int, ...]) -> TensorType:
    """An image of the channels at a height and width, a sequence at a length, or a vector."""
    return TensorType((channels, *places) if len(places) == 2 else (*places, channels))
