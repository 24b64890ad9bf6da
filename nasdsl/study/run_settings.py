"""All settings of a text that a run reads, and what is wrong with them. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nasdsl.diagnostics import Diagnostic, errors, order
from nasdsl.objectives.report_settings import ReportSettings, read_report
from nasdsl.search import SearchSettings, read_search
from nasdsl.search.table import unmet
from nasdsl.study.plan import Plan, read_plan
from nasdsl.training.settings import DataSettings, TrainSettings, read_data, read_train

if TYPE_CHECKING:
    from nasdsl.space import Space


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a space's text that a run reads."""

    search: SearchSettings
    data: DataSettings
    train: TrainSettings
    report: ReportSettings
    plan: Plan


def settings_of(space: Space) -> tuple[Settings | None, list[Diagnostic]]:
    """The settings of a space, defaults filled in, and what is wrong with them.

    ``None`` where there are errors. Nothing here loads torch.
    """
    data, found = read_data(space.data)
    train, wrong = read_train(space.train)
    found += wrong
    report, wrong = read_report(space.report)
    found += wrong
    search, wrong = read_search(space.search)
    found += wrong
    if search is None or errors(wrong):
        _, wrong = read_plan(space, 0, None, None)
        return None, order(found + wrong)
    names = [goal.entry.name for goal in space.goals]
    score = search.kind.score(search.values, names)
    plan, wrong = read_plan(space, search.seed, search.trials, score)
    found += wrong
    if search.values.get("aware") and plan.best is None and len(plan.aims) == 1:
        plan = replace(plan, neighborly=True)
    found += unmet(search, names, None if space.search is None else space.search.span)
    if errors(found):
        return None, order(found)
    return Settings(search, data, train, report, plan), order(found)
