"""Which trials are on the front, and which one is the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasdsl.seeding import derive
from nasdsl.study import pareto
from nasdsl.study.plan import Plan
from nasdsl.study.records import Trial

if TYPE_CHECKING:
    from nasdsl.space import Space


def front(trials: Sequence[Trial], plan: Plan) -> list[Trial]:
    """The centers that no other center dominates in the file's objectives, by number.

    Neighbors are not candidates: they lack the objectives that a neighborhood gives, and the
    searcher did not propose them.
    """
    centers = [t for t in trials if t.role == "center"]
    return [centers[i] for i in pareto.front(_values(centers, plan), _directions(plan))]


def best(trials: Sequence[Trial], plan: Plan, space: Space | None = None) -> Trial | None:
    """The center that is best by the plan's own goal, else the knee of the front.

    A plan that picks by predicted neighborhoods needs the space for it; without one, as on the
    way, the best value stands for the pick.
    """
    centers = [t for t in trials if t.role == "center"]
    if plan.neighborly and space is not None:
        return _neighborly(centers, plan, space)
    if plan.best is None:
        found = pareto.knee(_values(centers, plan), _directions(plan))
    else:
        values = [_sound(t).get(plan.best.name) for t in centers]
        found = pareto.best(values, plan.best.maximize)
    return None if found is None else centers[found]


def _neighborly(centers: Sequence[Trial], plan: Plan, space: Space) -> Trial | None:
    """The center of the best predicted neighborhood; see :mod:`nasdsl.search.recommend`."""
    from nasdsl.search.features import Features
    from nasdsl.search.recommend import recommended
    from nasdsl.search.variation import Variation

    (aim,) = plan.aims
    sign = 1.0 if aim.maximize else -1.0
    sound = [t for t in centers if t.rank is not None and aim.name in _sound(t)]
    if not sound:
        return None
    known = [space[t.rank] for t in sound if t.rank is not None]
    values = [sign * _sound(t)[aim.name] for t in sound]
    seed = derive(plan.seed, "pick")
    return sound[recommended(known, values, Variation(space), Features(), seed)]


def _directions(plan: Plan) -> list[bool]:
    return [aim.maximize for aim in plan.aims]


def _values(trials: Sequence[Trial], plan: Plan) -> list[list[float | None]]:
    return [[_sound(trial).get(aim.name) for aim in plan.aims] for trial in trials]


def _sound(trial: Trial) -> dict[str, float]:
    """The values of a trial that has not failed: a failed one is never best at anything."""
    return dict(trial.objectives) if trial.state == "complete" else {}
