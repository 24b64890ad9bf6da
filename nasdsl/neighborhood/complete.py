"""Decisions made whole after an edit: what came alive is filled in, what died is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nasdsl.space.architecture import Architecture
from nasdsl.space.residual import Branch, Emit, Key, UseCell
from nasdsl.space.space import Space
from nasdsl.space.walk import run

_INDEX = re.compile(r"\[([^\]]*)\]")


def complete(
    space: Space, decisions: Mapping[str, Any], near: Architecture | None = None
) -> Architecture:
    """The architecture nearest to decisions that may be too few, too many, or impossible.

    ``near`` is an architecture most of whose decisions they are. A decision of a copy that was not there before repeats the last copy's; any other that has
    no value, or one that is no longer allowed, takes its first legal value.
    """
    flat = space.flat
    if flat is not None and near is not None and decisions.keys() == near.decisions.keys():
        rank = flat.moved(near.rank, near.decisions, decisions)
        if rank is not None:
            return Architecture(space, decisions, rank)
    return space.assembled(filled(space, decisions))


def filled(space: Space, decisions: Mapping[str, Any]) -> dict[str, Any]:
    """The decisions of :func:`complete`, in any order."""
    if space.flat is None:
        return _filled(space, _Filler(decisions, space.indexed)).decided
    # Nothing comes alive or dies in a product; only impossible values are replaced.
    return {
        d.name: value if (value := decisions.get(d.name)) in d.place else d.options[0]
        for d in space.flat.digits
    }


def completed(space: Space, decisions: Mapping[str, Any]) -> tuple[dict[str, Any], int, int]:
    """The same decisions made whole, with the parameters and MACs of everything written."""
    costing = _Costing(decisions, space.indexed)
    _filled(space, costing)
    return costing.decided, costing.params, costing.macs


def _filled(space: Space, filler: _Filler) -> _Filler:
    while True:
        try:
            run(space.step, tuple(p.name.text for p in space.program.input_ports), filler)
            return filler
        except _Refused:
            filler.again()


class _Refused(Exception):
    """A later use of a cell does not allow a value that was taken at an earlier one."""


class _Filler:
    def __init__(self, decisions: Mapping[str, Any], indexed: frozenset[str]):
        self.given = decisions
        self.indexed = indexed
        self.refused: dict[str, set[Any]] = {}
        self.again()

    def again(self) -> None:
        """Begin anew, knowing what was refused."""
        self.decided: dict[str, Any] = {}
        self.paths: dict[int, str] = {}

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        return name

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        """Nothing is to be learnt of cells here."""

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> None:
        """Every cell is walked."""

    def decide(self, name: str, branch: Branch) -> Any:
        if name in self.decided:
            value = self.decided[name]
            if value not in branch.options:
                self.refused.setdefault(name, set()).add(value)
                raise _Refused
            return value
        refused = self.refused.get(name, ())
        value = self.given[name] if name in self.given else self._last_copy(name)
        if value is None or value not in branch.options or value in refused:
            value = next(option for option in branch.options if option not in refused)
        self.decided[name] = value
        return value

    def _last_copy(self, name: str) -> Any:
        """What the last copy decides, where the decision is of a copy that was not there."""
        for start, index, end in self._copies(name):
            if index > 0 and not self._had(name[:end]):
                before, after = name[: start + 1], name[end - 1 :]
                for earlier in range(index - 1, -1, -1):
                    if f"{before}{earlier}{after}" in self.decided:
                        return self.decided[f"{before}{earlier}{after}"]
                return None
        return None

    def _copies(self, name: str) -> Iterator[tuple[int, int, int]]:
        """The indices of copies in a path, outermost first: (start, index, end)."""
        start = 0
        for segment in name.split("."):
            own = max(
                (len(known) for known in self.indexed if segment.startswith(known)), default=0
            )
            for match in _INDEX.finditer(segment, own):
                if match.group(1).isdigit():
                    yield start + match.start(), int(match.group(1)), start + match.end()
            start += len(segment) + 1

    def _had(self, copy: str) -> bool:
        """Whether something was decided in a copy before."""
        inside = (f"{copy}.", f"{copy}[")
        return copy in self.given or any(name.startswith(inside) for name in self.given)


class _Costing(_Filler):
    """Also adds up costs."""

    def again(self) -> None:
        super().again()
        self.params = 0
        self.macs = 0

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        self.params += step.cost.params
        self.macs += step.cost.macs
        return name
