"""How many architectures meet the constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import DiagnosticError
from nasdsl.space.bounds import ENUMERATED
from nasdsl.space.budget import COUNTING, Budget, Unsupported
from nasdsl.space.constraints import COSTS, STRUCTURE
from nasdsl.space.costs import Cost, Distribution, Fold, TooMany
from nasdsl.space.quantities import Meter, Window, meter, together
from nasdsl.space.residual import Branch, Emit

if TYPE_CHECKING:
    from nasdsl.space.space import Space

DECIDED, WRITTEN = 6_000, 30_000
"""Up to so many architectures are run through for conditions on decisions alone; where ranks are
numbers of fixed digits."""

DISTINCT = 5_000
"""Up to so many different sums are counted one by one."""


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


def sums(space: Space, meters: Sequence[Meter]) -> dict[Cost, int]:
    """How many architectures there are for each combination of sums.

    Raises :class:`~nasdsl.space.costs.TooMany` where there are over 5,000 combinations.
    """

    def emit(step: Emit) -> Cost:
        return tuple([m.emit(step) for m in meters])

    def option(branch: Branch, value: Any) -> Cost:
        return tuple([m.option(branch, value) if m.option else 0 for m in meters])

    deciding = any(m.option for m in meters)
    fold = Fold(Distribution(DISTINCT), len(meters), emit, option if deciding else None)
    return fold.whole(space.step)


def feasible(space: Space) -> Feasible:
    """Count the architectures that meet every condition.

    Exact by a dynamic program where all conditions compare additive sums with numbers, by
    enumeration in small spaces, else unknown.
    """
    if not space.program.requires:
        return Feasible(space.size)
    bounds = (0, space.size)
    windows = additive(space)
    if windows is not None:
        try:
            met = sum(
                ways
                for found, ways in sums(space, [how for _, how in windows]).items()
                if all(w.holds(value) for (w, _), value in zip(windows, found, strict=True))
            )
        except TooMany:
            bounds = _bounded(space, windows)
        else:
            return Feasible(met, "", met, met)
    most = _visited(space)
    if space.size <= most:
        try:
            met = sum(1 for a in space if space.allows(a))
            return Feasible(met, "", met, met)
        except DiagnosticError:
            return Feasible(None, "a condition cannot be worked out", 0, space.size)
    reason = f"more than {most:,} architectures would have to be built"
    if windows is not None:
        reason = f"there are more than {DISTINCT:,} different sums"
    return Feasible(None, reason, *bounds)


def _visited(space: Space) -> int:
    """Up to how many architectures are tried one by one."""
    built = {*COSTS, *STRUCTURE}
    if any(space.program.deep(r.condition) & built for r in space.program.requires):
        return ENUMERATED
    # Conditions on decisions alone need no network.
    return DECIDED if space.flat is None else WRITTEN


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
