"""Decisions made whole after an edit: what came alive is filled in, what died is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nasdsl.space.residual import Branch, Emit, Key, UseCell
from nasdsl.space.space import Architecture, Space
from nasdsl.space.walk import run

_COPY = re.compile(r"\[(\d+)\]")


def complete(space: Space, decisions: Mapping[str, Any]) -> Architecture:
    """The architecture nearest to decisions that may be too few, too many, or impossible.

    A decision of a copy that was not there before repeats the last copy's; any other that has
    no value, or one that is no longer allowed, takes its first legal value.
    """
    flat = space.flat
    if flat is not None:
        # Nothing comes alive or dies in a product; only impossible values are replaced.
        legal = {
            d.name: value if (value := decisions.get(d.name)) in d.place else d.options[0]
            for d in flat.digits
        }
        return Architecture(space, legal, flat.rank(legal))
    filler = _Filler(decisions)
    run(space.step, tuple(p.name.text for p in space.program.input_ports), filler)
    return space.assembled(filler.decided)


def completed(space: Space, decisions: Mapping[str, Any]) -> tuple[dict[str, Any], int, int]:
    """The same decisions made whole, with the parameters and MACs of everything written."""
    costing = _Costing(decisions)
    run(space.step, tuple(p.name.text for p in space.program.input_ports), costing)
    return costing.decided, costing.params, costing.macs


class _Filler:
    def __init__(self, decisions: Mapping[str, Any]):
        self.given = decisions
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
            return self.decided[name]
        value = self.given.get(name)
        if name not in self.given:
            value = self._previous_copy(name)
        if value is None or value not in branch.options:
            value = next(iter(branch.options))
        self.decided[name] = value
        return value

    def _previous_copy(self, name: str) -> Any:
        for match in _COPY.finditer(name):
            index = int(match.group(1))
            if index == 0:
                continue
            before = f"{name[: match.start()]}[{index - 1}]{name[match.end() :]}"
            if before in self.decided:
                return self.decided[before]
        return None


class _Costing(_Filler):
    """Also adds up costs."""

    def __init__(self, decisions: Mapping[str, Any]):
        super().__init__(decisions)
        self.params = 0
        self.macs = 0

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        self.params += step.cost.params
        self.macs += step.cost.macs
        return name
