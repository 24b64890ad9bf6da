"""The decisions of one architecture with what the text says of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nasdsl.space.architecture import Architecture
from nasdsl.space.residual import Branch, Emit, Key, UseCell
from nasdsl.space.walk import run


@dataclass(frozen=True)
class Site:
    """One decision: its path, what it is called in the text, and the values it may take."""

    name: str
    of: str
    kind: str
    value: Any
    options: tuple[Any, ...]

    @property
    def choice(self) -> str:
        """The choice whose alternatives it takes, or the variable's name."""
        return self.of.rpartition(" in ")[2]

    def called(self, word: str) -> bool:
        """Whether the text calls the decision by this name."""
        return word in (self.of, *self.of.split(" in ")) or self.name == word

    def inside(self, place: str) -> bool:
        """Whether the decision lies in a template, node or cell of this name.

        A place may be a path, as ``Cell.n``; numbers and indices of uses need not be written.
        """
        if self.name == place or self.name.startswith(place + "."):
            return True
        words = place.split(".")
        segments = self.name.split(".")
        bare = [re.sub(r"(@\d+)?(\[.*\])?$", "", s) for s in segments]
        return any(
            all(w in (segments[at + i], bare[at + i]) for i, w in enumerate(words))
            for at in range(len(segments) - len(words) + 1)
        )

    def is_of(self, target: str, within: str = "") -> bool:
        """Whether the text calls the decision so, and it lies within a place."""
        return self.called(target) and (not within or self.inside(within))


class _Lister:
    def __init__(self, decisions: Mapping[str, Any]):
        self.decisions = decisions
        self.sites: dict[str, Site] = {}
        self.paths: dict[int, str] = {}

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        return name

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        """Nothing is to be learnt of cells here."""

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> None:
        """Every cell is walked."""

    def decide(self, name: str, branch: Branch) -> Any:
        value = self.decisions[name]
        options = tuple(branch.options)
        known = self.sites.get(name)
        if known is not None:
            options = tuple(o for o in known.options if o in branch.options)
        self.sites[name] = Site(name, branch.of, branch.kind, value, options)
        return value


def sites(architecture: Architecture) -> list[Site]:
    """Every decision of an architecture, in its order.

    A decision of a cell has the values that all uses of the cell allow.
    """
    space = architecture.space
    if space.flat is not None:
        return [
            Site(d.name, d.of, d.kind, architecture.decisions[d.name], d.options)
            for d in space.flat.digits
        ]
    lister = _Lister(architecture.decisions)
    run(space.step, tuple(p.name.text for p in space.program.input_ports), lister)
    return [lister.sites[name] for name in architecture.decisions]
