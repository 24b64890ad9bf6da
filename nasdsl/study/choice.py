"""Which trials are on the front, and which one is the best."""

from __future__ import annotations

from collections.abc import Sequence

from nasdsl.study import pareto
from nasdsl.study.plan import Plan
from nasdsl.study.records import Trial


def front(trials: Sequence[Trial], plan: Plan) -> list[Trial]:
    """The centers that no other center dominates in the file's objectives, by number.

    Neighbors are not candidates: they lack the objectives that a neighborhood gives, and the
    searcher did not propose them.
    """
    centers = [t for t in trials if t.role == "center"]
    return [centers[i] for i in pareto.front(_values(centers, plan), _directions(plan))]


def best(trials: Sequence[Trial], plan: Plan) -> Trial | None:
    """The center that is best by the plan's own goal, else the knee of the front."""
    centers = [t for t in trials if t.role == "center"]
    if plan.best is None:
        found = pareto.knee(_values(centers, plan), _directions(plan))
    else:
        values = [_sound(t).get(plan.best.name) for t in centers]
        found = pareto.best(values, plan.best.maximize)
    return None if found is None else centers[found]


def _directions(plan: Plan) -> list[bool]:
    return [aim.maximize for aim in plan.aims]


def _values(trials: Sequence[Trial], plan: Plan) -> list[list[float | None]]:
    return [[_sound(trial).get(aim.name) for aim in plan.aims] for trial in trials]


def _sound(trial: Trial) -> dict[str, float]:
    """The values of a trial that has not failed: a failed one is never best at anything."""
    return dict(trial.objectives) if trial.state == "complete" else {}
