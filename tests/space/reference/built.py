"""What the reference makes of one architecture, and the ways in which it can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nasdsl.operations.operation import TensorType
from nasdsl.operations.table import OPERATIONS

BROKEN = -1
"""Stands for a tensor that could not be made."""


class Wrong(Exception):
    """The architecture at hand cannot be built."""


class Outside(Exception):
    """The decisions at hand are no architecture: two uses of a cell allow different values."""


class TooMany(Exception):
    """More architectures than the caller wants to see."""


@dataclass(frozen=True)
class Op:
    """One operation as written: operands are positions in the list of operations."""

    name: str
    settings: tuple[tuple[str, Any], ...]
    inputs: tuple[int, ...]
    type: TensorType
    params: int = 0
    macs: int = 0


@dataclass(frozen=True)
class Built:
    """One architecture by the reference: its decisions in the order taken, and what it is."""

    decisions: dict[str, Any]
    options: dict[str, tuple[Any, ...]]
    written: tuple[Op, ...] = ()
    output: int = -1
    wrong: str | None = None

    @property
    def declared_params(self) -> int:
        """Parameters of everything written."""
        return sum(op.params for op in self.written)

    def _zero(self) -> list[bool]:
        found: list[bool] = []
        for op in self.written:
            below = [found[i] for i in op.inputs]
            if op.name == "zero":
                found.append(True)
            elif op.name == "input":
                found.append(False)
            elif op.name == "mul":
                found.append(any(below))
            elif op.name == "first":
                found.append(below[0])
            else:
                found.append(all(below) and OPERATIONS[op.name].zero(dict(op.settings)))
        return found

    @property
    def live(self) -> set[int]:
        """The operations that the result depends on, constants of zero left out."""
        zero = self._zero()
        needed: set[int] = set()
        todo = [self.output]
        while todo:
            at = todo.pop()
            if at in needed or zero[at]:
                continue
            needed.add(at)
            inputs = self.written[at].inputs
            todo += inputs[:1] if self.written[at].name == "first" else inputs
        return needed

    @property
    def params(self) -> int:
        """Parameters of the live network."""
        return sum(self.written[i].params for i in self.live)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the live network."""
        return sum(self.written[i].macs for i in self.live)
