"""From a run folder to its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nasdsl.graph.drawing import draw
from nasdsl.language.settings import Entry
from nasdsl.objectives.table import SOURCE
from nasdsl.study import choice, files, oneshot
from nasdsl.study.best import read_best
from nasdsl.study.folder import REPORT, start_of
from nasdsl.study.plan import Plan
from nasdsl.study.progress import clock
from nasdsl.study.records import Subject, Trial
from nasdsl.study.report.aim import Aim
from nasdsl.study.report.page import Page, page
from nasdsl.study.robustness import profiles, read_profiles
from nasdsl.study.subjects import Subjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasdsl.space import Space
    from nasdsl.study.run_settings import Settings
    from nasdsl.study.store import Store

DRAWN = 12


def write_report(folder: Path, store: Store, space: Space, settings: Settings, plan: Plan) -> None:
    """Writes ``report.html`` of a run as it stands."""
    files.write(folder / REPORT, page(content(folder, store, space, settings, plan)))


def content(folder: Path, store: Store, space: Space, settings: Settings, plan: Plan) -> Page:
    """What the page of a run shows."""
    rows = store.table()
    head = store.head()
    front = choice.front(rows, plan)
    best = choice.best(rows, plan, space)
    figures = read_best(folder) or {}
    if best is None or figures.get("trial") != best.number:
        figures = {}
    requests = dict([*plan.measured, *((a.name, a.request) for a in plan.aggregates)])
    start = start_of(folder, head)
    return Page(
        title=space.name,
        doc=space.doc,
        facts={**_facts(space, rows, front), **oneshot.facts(folder)},
        aims=tuple(
            Aim(a.name, a.maximize, a.request.facts.unit, a.request.facts.definition)
            for a in plan.aims
        ),
        units={name: request.facts.unit for name, request in requests.items()},
        trials=rows,
        front=[t.number for t in front],
        best=None if best is None else best.number,
        best_by=_picked_by(plan),
        text=start.text,
        figures=figures,
        drawings=_drawings(space, plan, best, front),
        settings=_settings(space, settings, head, plan),
        overrides=start.overrides,
        warnings=[warning.message for warning in space.warnings],
        profiles=[
            (number, profile)
            for number, profile in profiles(read_profiles(folder))
            if number in {t.number for t in front} or (best and number == best.number)
        ],
    )


def _picked_by(plan: Plan) -> str | None:
    """What the best was picked by; ``None`` for the knee."""
    if plan.neighborly:
        return "predicted neighborhood"
    return None if plan.best is None else plan.best.name


def _facts(space: Space, rows: Sequence[Trial], front: Sequence[Trial]) -> dict[str, str]:
    centers = sum(t.role == "center" for t in rows)
    failed = sum(t.state == "failed" for t in rows)
    waiting = sum(t.state in ("queued", "running") for t in rows)
    seconds = sum(float(t.timing.get("seconds", 0)) for t in rows)
    facts = {"architectures": _large(space.size)}
    if space.feasible is not None and space.feasible != space.size:
        facts["feasible"] = _large(space.feasible)
    facts |= {
        "networks trained": f"{sum(t.state == 'complete' for t in rows):,}",
        "of them centers": f"{centers:,}",
        "on the Pareto front": f"{len(front):,}",
        "training time": clock(seconds),
    }
    if failed:
        facts["failed"] = f"{failed:,}"
    if waiting:
        facts["to be trained"] = f"{waiting:,}"
    return facts


def _large(n: int) -> str:
    return f"{n:,}" if n < 10**9 else f"{n:.2e}" if n < 10**300 else f"10^{len(str(n)) - 1}"


def _drawings(
    space: Space, plan: Plan, best: Trial | None, front: Sequence[Trial]
) -> dict[int, str]:
    subjects = Subjects(space, plan.seed)
    chosen = [*([best] if best is not None else []), *front]
    drawn: dict[int, str] = {}
    for trial in chosen:
        if trial.number not in drawn and len(drawn) < DRAWN:
            subject = Subject(trial.fingerprint, trial.rank, trial.decisions, trial.key)
            network, _ = subjects.network(subject)
            drawn[trial.number] = draw(network, f"trial {trial.number}")
    return drawn


def _settings(
    space: Space, settings: Settings, head: dict[str, object], plan: Plan
) -> dict[str, str]:
    search = settings.search
    values = ", ".join(f"{n} {v}" for n, v in search.values.items() if v is not None)
    data = space.data or Entry(settings.data.source)
    found = {
        "search": f"{search.kind.name} ({values})",
        "data": data.source(),
        "samples of the search": _samples(settings, plan),
        "train": ", ".join(entry.source() for entry in space.train) or "defaults",
        "best": f"by {by}" if (by := _picked_by(settings.plan)) else "knee of the front",
        "device": str(head.get("device", "cpu")),
        "begun": str(head.get("created", "")).replace("T", " ").replace("+00:00", " UTC"),
        "nasdsl": str(head.get("nasdsl", "")),
    }
    if head.get("trials") is not None:
        found["trials"] = f"{head['trials']} at most"
    return found


def _samples(settings: Settings, plan: Plan) -> str:
    """What the search has seen: the data's own samples, unless the file asks for others."""
    if settings.data.source == SOURCE:
        return "published values"
    own = "the data's own training and validation samples"
    others = [name for name, request in plan.measured if request.facts.evaluation]
    return f"{own}, and changed ones for {', '.join(others)}" if others else f"{own} alone"
