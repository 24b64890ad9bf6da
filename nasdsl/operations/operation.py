"""What an operation is, said without torch: parameters, arity, shape rule, cost rule, doc."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Value = int | float | bool | str | tuple[int, ...]
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TensorType:
    """The type of a tensor without its batch dimension.

    A shape of three is an image (channels, height, width), of two a sequence
    (time or tokens, features), of one a vector (features).
    """

    shape: tuple[int, ...]
    dtype: Literal["float", "int"] = "float"

    @property
    def channels(self) -> int:
        """Channels of an image, features of a sequence or vector."""
        return self.shape[0] if len(self.shape) == 3 else self.shape[-1]

    @property
    def size(self) -> int:
        """Number of values for one sample."""
        product = 1
        for n in self.shape:
            product *= n
        return product

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.shape))
        return f"[{inner}]" if self.dtype == "float" else f"int[{inner}]"


class ShapeError(Exception):
    """Raised by a shape rule: inputs that the operation cannot take, said in one sentence."""


REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation.

    ``kind`` is one of int, float, bool, name (a word out of ``values``). ``minimum`` bounds
    numbers from below, inclusive. A default of ``None`` means "derived from the others";
    the operation's ``complete`` then fills it in.
    """

    name: str
    kind: Literal["int", "float", "bool", "name"]
    default: Any = REQUIRED
    minimum: float | None = None
    values: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """Learned parameters, and multiply-accumulates for one sample."""

    params: int = 0
    macs: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.macs + other.macs)


@dataclass(frozen=True, slots=True)
class Operation:
    """The facts of one operation.

    Attributes:
        name: as written in a text, and the key of the compiler's code table.
        doc: one sentence for hover and documentation.
        parameters: in positional order.
        shape: (settings, input types) -> output type; raises :class:`ShapeError`.
        cost: (settings, input types, output type) -> :class:`Cost`.
        arity: fewest and most inputs; ``None`` means any number.
        commutative: the order of inputs does not matter.
        zero: (settings) -> whether the operation maps zero inputs to zero.
            With several inputs: whether it does when all of them are zero.
        complete: fills settings that are derived from others (a stride from a kernel).
    """

    name: str
    doc: str
    parameters: tuple[Parameter, ...]
    shape: Callable[[Settings, tuple[TensorType, ...]], TensorType]
    cost: Callable[[Settings, tuple[TensorType, ...], TensorType], Cost] = lambda s, i, o: Cost()
    arity: tuple[int, int | None] = (1, 1)
    commutative: bool = False
    zero: Callable[[Settings], bool] = lambda s: False
    complete: Callable[[dict[str, Any]], dict[str, Any]] = lambda s: s
