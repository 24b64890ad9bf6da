"""What a searcher that learns from outcomes reads in them: the goals of the file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasdsl.language.settings import Entry
from nasdsl.objectives.metrics import labels, read_goal

if TYPE_CHECKING:
    from nasdsl.search.searcher import Outcome
    from nasdsl.space import Space

DEFAULT = Entry("accuracy")
COUNTED = ("params", "macs")
"""Goals that an architecture tells without being measured."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One goal by the name under which outcomes hold it."""

    name: str
    maximize: bool = True

    def of(self, outcome: Outcome | None) -> float | None:
        """Its value, signed so that more is better; ``None`` where there is no sound one."""
        if outcome is None or outcome.state != "complete":
            return None
        value = outcome.objectives.get(self.name)
        if value is None or not math.isfinite(value):
            return None
        return value if self.maximize else -value


def aims(space: Space, score: Entry | None = None) -> tuple[Aim, ...]:
    """The goals of a space's file, in its order, ``accuracy`` where it names none.

    ``score`` is one that the searcher adds; it comes last. The file's ``best`` is no goal.
    """
    written = [(goal.direction == "maximize", goal.entry) for goal in space.goals]
    entries = [*(written or [(True, DEFAULT)]), *([(True, score)] if score is not None else [])]
    asked = [(maximize, read_goal(entry)[0]) for maximize, entry in entries]
    sound = [(maximize, request) for maximize, request in asked if request is not None]
    names = labels([request for _, request in sound])
    return tuple(dict.fromkeys(Aim(n, m) for n, (m, _) in zip(names, sound, strict=True)))


def leading(space: Space) -> Aim:
    """The one goal of a searcher that follows a single one: the file's ``best``, else its first."""
    known = aims(space)
    if space.best is None:
        return known[0]
    requests = [read_goal(goal.entry)[0] for goal in space.goals]
    picking = read_goal(space.best.entry)[0]
    sound = [request for request in (*requests, picking) if request is not None]
    if picking is None:
        return known[0]
    return Aim(labels(sound)[-1], space.best.direction == "maximize")
