"""How far the search was after so many networks: the best value, or the hypervolume found.

A curve that rises early says that fewer networks would have done; one that still rises at its
end, that more might find something better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from nasdsl.study import pareto
from nasdsl.study.records import Trial
from nasdsl.study.report.aim import Aim
from nasdsl.study.report.curves import stairs

ENDED = ("complete", "failed")


@dataclass(frozen=True, slots=True)
class Anytime:
    """What had been found, at the places where it got better.

    Attributes:
        measured: networks that had ended by then, neighbors and failures among them.
        values: what had been found.
        whole: networks that had ended in the end.
        reference: what the hypervolume is measured from; empty for a single value.
    """

    measured: tuple[int, ...]
    values: tuple[float, ...]
    whole: int
    reference: tuple[float, ...] = ()


def best_so_far(trials: Sequence[Trial], aim: Aim) -> Anytime:
    """The best value of one objective among centers, trial by trial in the order of numbers."""
    measured: list[int] = []
    values: list[float] = []
    whole = 0
    for whole, row in _ended(trials, (aim,)):
        if row and (not values or (row[0] > values[-1] if aim.maximize else row[0] < values[-1])):
            measured.append(whole)
            values.append(row[0])
    return Anytime(tuple(measured), tuple(values), whole)


def hypervolume_so_far(trials: Sequence[Trial], aims: Sequence[Aim]) -> Anytime:
    """The hypervolume of the centers so far, in percent of that of all.

    It is measured from the worst value of each objective among all centers. Nothing is found
    where no center is better than that in every objective.
    """
    directions = [aim.maximize for aim in aims]
    rows = list(_ended(trials, aims))
    sound = [row for _, row in rows if row]
    if not sound:
        return Anytime((), (), len(rows))
    reference = [
        min(column) if more else max(column)
        for more, column in zip(directions, zip(*sound, strict=True), strict=True)
    ]
    measured: list[int] = []
    volumes: list[float] = []
    front: list[Sequence[float]] = []
    for at, row in rows:
        if not row or row in front:
            continue
        both = [*front, row]
        kept = pareto.front(both, directions)
        if kept[-1] != len(front):
            continue  # dominated: the hypervolume stays
        front = [both[i] for i in kept]
        volume = pareto.hypervolume(front, directions, reference)
        if volume > (volumes[-1] if volumes else 0.0):
            measured.append(at)
            volumes.append(volume)
    parts = tuple(100.0 * volume / volumes[-1] for volume in volumes)
    return Anytime(tuple(measured), parts, len(rows), tuple(reference))


def _ended(trials: Sequence[Trial], aims: Sequence[Aim]) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Each ended network's place and, of a center with all objectives, its values."""
    ended = sorted((t for t in trials if t.state in ENDED), key=lambda t: t.number)
    for at, trial in enumerate(ended, 1):
        row = [trial.objectives.get(aim.name) for aim in aims]
        values = tuple(float(value) for value in row if value is not None)
        center = trial.role == "center" and trial.state == "complete"
        yield at, values if center and len(values) == len(aims) else ()


def section(trials: Sequence[Trial], aims: Sequence[Aim]) -> str:
    """The curves as a part of the page; empty before anything has been found twice."""
    figures = []
    lead = "The best value so far."
    if len(aims) > 1:
        lead = "The best value of each objective so far."
        found = hypervolume_so_far(trials, aims)
        if len(found.values) > 1:
            figures.append(_figure("hypervolume, percent of the run's", found))
            at = ", ".join(
                f"{aim.name} {value:,.6g}{aim.unit and ' ' + aim.unit}"
                for aim, value in zip(aims, found.reference, strict=True)
            )
            lead = (
                "Hypervolume: what the networks so far dominate, measured from the worst value of "
                f"each objective in this run ({at}). Beside it the best value of each objective."
            )
    for aim in aims:
        found = best_so_far(trials, aim)
        if len(found.values) > 1:
            unit = f" in {aim.unit}" if aim.unit else ""
            figures.append(_figure(f"{_extreme(aim)} {aim.name}{unit}", found))
    if not figures:
        return ""
    return (
        '<section class="card"><h2>Over the search</h2>'
        f'<p class="lead">{escape(lead)} Across: networks measured, neighbors and failures among '
        f'them.</p><div class="curves">{"".join(figures)}</div></section>'
    )


def _extreme(aim: Aim) -> str:
    return "most" if aim.maximize else "least"


def _figure(caption: str, found: Anytime) -> str:
    drawn = stairs(found.measured, found.values, found.whole, "networks measured", caption)
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawn}</figure>"
