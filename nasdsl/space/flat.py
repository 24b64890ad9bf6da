"""Spaces that are a plain product of independent decisions, which are most benchmark spaces.

There a rank is a number written in the mixed radix of the decisions, and nothing has to be
walked to sample, rank or change one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nasdsl.space.residual import (
    DONE,
    Branch,
    Copy,
    Lift,
    On,
    Owned,
    Scope,
    Step,
    Then,
    Whole,
)
from nasdsl.space.walk import join, named


@dataclass(frozen=True)
class Digit:
    """One decision: its name, what the text calls it, its values, and its weight in ranks."""

    name: str
    of: str
    kind: str
    options: tuple[Any, ...]
    stride: int
    place: Mapping[Any, int]


@dataclass(frozen=True)
class Flat:
    """The decisions of a product space, the most significant first."""

    digits: tuple[Digit, ...]
    names: tuple[str, ...]

    def decisions(self, rank: int) -> dict[str, Any]:
        """The decisions of a rank."""
        values = []
        for digit in self.digits:
            at, rank = divmod(rank, digit.stride)
            values.append(digit.options[at])
        return dict(zip(self.names, values, strict=True))

    def rank(self, decisions: Mapping[str, Any]) -> int:
        """The rank of legal decisions."""
        return sum(d.place[decisions[d.name]] * d.stride for d in self.digits)

    def moved(self, rank: int, old: Mapping[str, Any], new: Mapping[str, Any]) -> int | None:
        """The rank of decisions of which few are new; none where one of these is not legal."""
        for digit in self.digits:
            value = new[digit.name]
            if value is not old[digit.name]:
                place = digit.place
                if value not in place:
                    return None
                rank += (place[value] - place[old[digit.name]]) * digit.stride
        return rank


class _Conditional(Exception):
    """The decisions are no product."""


def flatten(root: Step) -> Flat | None:
    """The decisions of a space as a product, or none where they are not."""
    try:
        found = _Flattener().digits(root, "", "")
    except _Conditional:
        return None
    stride = root.outcomes[DONE]
    digits = []
    for name, of, kind, options in found:
        stride //= len(options)
        place = {value: i for i, value in enumerate(options)}
        digits.append(Digit(name, of, kind, options, stride, place))
    if stride != 1 or len({d.name for d in digits}) != len(digits):
        return None
    return Flat(tuple(digits), tuple(d.name for d in digits))


Found = list[tuple[str, str, str, tuple[Any, ...]]]


class _Flattener:
    def __init__(self) -> None:
        self.paths: dict[int, str] = {}

    def digits(self, step: Step, path: str, pending: str) -> Found:
        """The decisions of a step in order; raises if they depend on each other."""
        if not step.decides:
            return []
        if isinstance(step, Then):
            first = self.digits(step.first, path, pending)
            return first + self._one([self.digits(r, path, pending) for r in step.rest.values()])
        if isinstance(step, Branch):
            if step.owner is not None:
                raise _Conditional
            name = named(step, self.paths, path, pending)
            inner = self._one([self.digits(o, path, pending) for o in step.options.values()])
            return [(name, step.of, step.kind, tuple(step.options)), *inner]
        if isinstance(step, Scope):
            return self.digits(step.step, join(path, step.segment + pending), "")
        if isinstance(step, Copy):
            return self.digits(step.step, path, f"{pending}[{step.index}]")
        if isinstance(step, On | Lift):
            return self.digits(step.step, path, pending)
        if isinstance(step, Whole):
            if step.last or len(step.combinations) != 1:
                raise _Conditional
            found: Found = []
            for cell in step.first:
                found += self.digits(cell.joint, cell.name, "")
            return found + self.digits(step.body, "", "")
        assert isinstance(step, Owned)
        raise _Conditional

    @staticmethod
    def _one(found: list[Found]) -> Found:
        if any(other != found[0] for other in found[1:]):
            raise _Conditional
        return found[0]
