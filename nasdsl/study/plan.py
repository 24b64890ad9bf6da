"""What a study measures: its goals, its neighborhoods, and how a center is judged by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasdsl.diagnostics import Diagnostic
from nasdsl.language.settings import Entry
from nasdsl.objectives.metrics import MetricError, MetricRequest, labels, read_goal
from nasdsl.objectives.neighborhood import aggregate
from nasdsl.study.records import ENDED, Measured

if TYPE_CHECKING:
    from nasdsl.space import Space

NEIGHBORHOOD = "flatness.neighborhood"
SURROGATE = "surrogate"
DEFAULT_GOAL = Entry("accuracy")
"""The objective of a file that names none; it is maximized."""


@dataclass(frozen=True, slots=True)
class Ball:
    """A neighborhood to be measured: ``samples`` neighbors (0: all) within ``radius`` edits.

    A radius of ``None`` is that of the file's ``neighborhood``.
    """

    samples: int
    radius: int | None = None

    @property
    def name(self) -> str:
        """As it stands in the records."""
        within = "" if self.radius is None else f" radius={self.radius}"
        return f"samples={self.samples or 'all'}{within}"


@dataclass(frozen=True, slots=True)
class Aim:
    """One goal: the objective's name in the records, its direction, and what it asks for."""

    name: str
    maximize: bool
    request: MetricRequest


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An objective of a center that is made of its neighborhood's accuracies.

    Attributes:
        name: of the objective.
        request: what it asks for.
        source: what of the neighbors is aggregated.
        ball: the neighbors that are trained.
        whole: where a model fills in the others, all the neighbors.
    """

    name: str
    request: MetricRequest
    source: str
    ball: Ball
    whole: Ball | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        seed: of the study.
        aims: the goals, in the order of the text; the front is taken over them.
        measured: what each network is measured for, by name.
        aggregates: the objectives that need neighborhoods.
        best: the goal that alone picks the best, ``None`` for the knee of the front.
        limit: most trials, those that are there already included; ``None`` without limit.
        estimated: neighborhoods that are estimated with the center, by how the goal is written.
        neighborly: whether the best is picked by predicted neighborhoods of the one goal.
    """

    seed: int
    aims: tuple[Aim, ...] = ()
    measured: tuple[tuple[str, MetricRequest], ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    best: Aim | None = None
    limit: int | None = None
    estimated: Mapping[str, Ball] = field(default_factory=dict)
    neighborly: bool = False

    @property
    def balls(self) -> tuple[Ball, ...]:
        """The neighborhoods, each once."""
        return tuple(dict.fromkeys(aggregate.ball for aggregate in self.aggregates))

    @property
    def learns(self) -> bool:
        """Whether centers are judged by a model of the trials before them."""
        return any(aggregate.whole is not None for aggregate in self.aggregates)

    @property
    def whole(self) -> frozenset[str]:
        """Names of the objectives that count something."""
        return frozenset(name for name, request in self.measured if _counts(request))

    def judge(
        self,
        center: Measured,
        neighbors: Mapping[Ball, Sequence[Measured | None]],
        filled: Mapping[Ball, Sequence[float | None]] | None = None,
    ) -> Measured:
        """What a center came to, from its own trial and those of its neighbors.

        ``filled`` are the accuracies of whole balls of which few neighbors are trained; without
        it such an aggregate fails.

        A neighbor is ``None`` where the budget had no room for it; an aggregate over such a
        neighborhood is not given, and the reason says so. Failed neighbors are left out and
        counted in the reason; where all failed the center fails.
        """
        if center.state != "complete":
            return Measured("failed", center.reason)
        values: dict[str, float] = {}
        spreads: dict[str, float] = {}
        notes: list[str] = []
        failed = False
        for part in self.aggregates:
            found = neighbors[part.ball]
            there = [m for m in found if m is not None and m.state in ENDED]
            if len(there) < len(found):
                notes.append(
                    f"{part.name}: not measured, the budget had room for {len(there)} of "
                    f"{len(found)} neighbors"
                )
                continue
            sound = [m.values.get(part.source) if m.state == "complete" else None for m in there]
            try:
                if part.whole is not None:
                    if filled is None:
                        raise MetricError("estimate=surrogate learns from the networks of a run")
                    sound = list(filled[part.whole])
                value = aggregate(center.values.get(part.source), sound, part.request)
            except MetricError as error:
                failed = True
                notes.append(f"{part.name}: {error}")
                continue
            values[part.name] = value.value
            if value.spread is not None:
                spreads[part.name] = value.spread
            if value.note:
                notes.append(f"{part.name}: {value.note}")
        reason = "; ".join(notes) or None
        return Measured("failed" if failed else "complete", reason, values, spreads)


def _is_estimated(request: MetricRequest) -> bool:
    return request.metric == NEIGHBORHOOD and request.cost != "neighborhood"


def _ball(request: MetricRequest, entries: Sequence[Entry]) -> Ball:
    """The neighbors that a goal has trained; the file's own radius where it names none."""
    (entry, *_) = (e for e in entries if e.source() == request.written)
    names = {name for name, _ in entry.kwargs}
    given = "radius" in names or len(entry.args) > 1
    samples = request["trained"] if request["estimate"] == SURROGATE else request["samples"]
    return Ball(samples, request["radius"] if given else None)


def _aggregate(name: str, request: MetricRequest, entries: Sequence[Entry]) -> Aggregate:
    ball = _ball(request, entries)
    whole = Ball(0, ball.radius) if request["estimate"] == SURROGATE else None
    return Aggregate(name, request, DEFAULT_GOAL.name, ball, whole)


def _counts(request: MetricRequest) -> bool:
    return request.facts.cost == "static" and not request.facts.unit


def read_plan(
    space: Space, seed: int, limit: int | None, score: Entry | None
) -> tuple[Plan, list[Diagnostic]]:
    """The plan of a space's objectives, and what is wrong with them.

    ``score`` is an objective that the searcher adds, to be maximized. It picks the best where
    the file has a single objective of its own and does not say what is best.
    """
    written = [(goal.direction == "maximize", goal.entry) for goal in space.goals]
    if not written:
        written = [(True, DEFAULT_GOAL)]
    entries = [*written, *([(True, score)] if score is not None else [])]
    problems: list[Diagnostic] = []
    asked: list[tuple[bool, MetricRequest]] = []
    for maximize, entry in entries:
        request, wrong = read_goal(entry)
        problems += wrong
        if request is not None:
            asked.append((maximize, request))
    extra: list[MetricRequest] = []
    picking = None
    if space.best is not None:
        picking, wrong = read_goal(space.best.entry)
        problems += wrong
        extra += [picking] if picking is not None else []
    if any(r.metric == NEIGHBORHOOD for r in (*(r for _, r in asked), *extra)):
        accuracy, _ = read_goal(DEFAULT_GOAL)
        extra += [accuracy] if accuracy is not None else []
    requests = [*(r for _, r in asked), *extra]
    names = labels(requests)
    by_name = dict(zip(names, requests, strict=True))
    aims = tuple(dict.fromkeys(Aim(n, m, r) for n, (m, r) in zip(names, asked, strict=False)))
    best = None
    if picking is not None and space.best is not None:
        best = Aim(names[len(asked)], space.best.direction == "maximize", picking)
    elif score is not None and len(written) == 1 and aims:
        best = aims[-1]
    near = [e for _, e in entries] + ([space.best.entry] if space.best is not None else [])
    plan = Plan(
        seed,
        aims,
        tuple((n, r) for n, r in by_name.items() if r.cost != "neighborhood"),
        tuple(_aggregate(n, r, near) for n, r in by_name.items() if r.cost == "neighborhood"),
        best,
        limit,
        {r.written: _ball(r, near) for r in by_name.values() if _is_estimated(r)},
    )
    if plan.aggregates and plan.estimated:
        # A network is measured once: as a neighbor it would be estimated for nothing, or as a
        # center, later, not at all.
        problems.append(
            Diagnostic(
                "NAS712", "neighborhoods are estimated in all goals or in none", near[0].span
            )
        )
    return plan, problems
