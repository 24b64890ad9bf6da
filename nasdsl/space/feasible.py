"""How many architectures meet the constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasdsl.diagnostics import DiagnosticError
from nasdsl.space.bounds import ENUMERATED
from nasdsl.space.budget import COUNTING, Budget, Unsupported
from nasdsl.space.combined import FEW, MANY, combined
from nasdsl.space.quantities import Meter, Window, meter, together

if TYPE_CHECKING:
    from nasdsl.space.space import Space


VISITED = 6_000_000
"""All architectures are visited where they have at most so many operations together."""


@dataclass(frozen=True)
class Feasible:
    """The number of architectures under ``require``, or why it is not known.

    ``least`` and ``most`` bound it where it is not known exactly.
    """

    count: int | None
    reason: str = ""
    least: int = 0
    most: int | None = None


def additive(space: Space) -> list[tuple[Window, Meter]] | None:
    """The conditions as windows on additive sums; none where one of them is something else."""
    found: list[Window] = []
    for read in space.windows:
        if read is None:
            return None
        found += read
    metered = [(window, meter(space, window.terms)) for window in together(found)]
    known = [(window, how) for window, how in metered if how is not None]
    return known if len(known) == len(metered) else None


def feasible(space: Space) -> Feasible:
    """Count the architectures that meet every condition.

    Exact by a dynamic program where all conditions compare additive sums with numbers, by
    enumeration in small spaces, else unknown.
    """
    if not space.program.requires:
        return Feasible(space.size)
    bounds = (0, space.size)
    windows = additive(space)
    cases = combined(space, space.program.requires, FEW if windows is not None else MANY)
    if cases is not None:
        met = sum(ways for gaps, ways in cases if not any(gap.distance for gap in gaps))
        return Feasible(met, "", met, met)
    if windows is not None:
        bounds = _bounded(space, windows)
    if visitable(space):
        try:
            met = sum(1 for a in space if space.allows(a))
            return Feasible(met, "", met, met)
        except DiagnosticError:
            return Feasible(None, "a condition cannot be worked out", 0, space.size)
    reason = f"{space.size:,} architectures would have to be built"
    if windows is not None:
        reason = f"there are more than {FEW:,} different sums"
    return Feasible(None, reason, *bounds)


def visitable(space: Space) -> bool:
    """Whether every architecture can be built in seconds."""
    if space.size <= ENUMERATED:
        return True
    return space.outlined and space.size * space.step.most <= VISITED


def _bounded(space: Space, windows: list[tuple[Window, Meter]]) -> tuple[int, int]:
    """Certified bounds of the count, condition by condition."""
    least, most = space.size, space.size
    for window, how in windows:
        try:
            low, high = _within(space, window, how)
        except Unsupported:
            continue
        # Conditions are joined by inclusion and exclusion: at least this many meet both.
        least = max(0, least + low - space.size)
        most = min(most, high)
    return least, most


def _within(space: Space, window: Window, how: Meter) -> tuple[int, int]:
    """Bounds of how many architectures meet one condition."""
    least, most = space.size, space.size
    if window.high is not None:
        least, most = _up_to(space, how, window.high)
    if window.low is not None:
        below = _up_to(space, how, window.low - 1)
        least, most = max(0, least - below[1]), max(0, most - below[0])
    return least, most


def _up_to(space: Space, how: Meter, limit: int) -> tuple[int, int]:
    return (
        Budget(space.step, how, limit, buckets=COUNTING, up=True).total,
        Budget(space.step, how, limit, buckets=COUNTING).total,
    )
