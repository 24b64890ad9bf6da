"""One architecture measured outside a run, as the file of its space says."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from nasdsl.diagnostics import DiagnosticError, Source, errors, problem
from nasdsl.graph.plain import to_plain
from nasdsl.language.parser import parse
from nasdsl.language.syntax import Objective
from nasdsl.objectives.table import SOURCE, check_table, without_table
from nasdsl.seeding import derive
from nasdsl.space.blocks import read_blocks
from nasdsl.study.executors import Result
from nasdsl.study.loop import measured_of
from nasdsl.study.plan import Plan, read_plan
from nasdsl.study.records import Measured, Subject
from nasdsl.study.subjects import Subjects
from nasdsl.training.settings import read_data, read_train

if TYPE_CHECKING:
    from nasdsl.space import Architecture, Goal, Space
    from nasdsl.space.outside import Outside
    from nasdsl.study.evaluator import Evaluator


@dataclass(frozen=True, slots=True)
class Score:
    """One measured metric.

    Attributes:
        metric: its name; where two requests share one, the later's full written form.
        value: finite; a whole number where something is counted.
        spread: standard deviation over what was averaged, where something was.
        unit: of value and spread.
        seconds: what it took beyond work that it shares with others.
        definition: what exactly was measured.
    """

    metric: str
    value: float
    spread: float | None
    unit: str
    seconds: float
    definition: str

    def to_json(self) -> dict[str, Any]:
        """The score as ``nasdsl score --json`` prints it."""
        return {
            "metric": self.metric,
            "value": self.value,
            "spread": self.spread,
            "unit": self.unit,
            "seconds": self.seconds,
            "definition": self.definition,
        }


def score(
    space: Space,
    architecture: Architecture | Outside,
    metrics: Sequence[str] = (),
    seed: int = 0,
    device: str = "cpu",
    base_folder: str = ".",
) -> list[Score]:
    """Trains an architecture once and measures it.

    With the seed of a study this gives the values that the study records for the architecture:
    its training, and the draw of its neighborhood, derive from the same keys. Metrics that need
    no training train nothing, and equal networks are trained once.

    Args:
        space: says how to train, on which data, and what neighbors are.
        architecture: of the space, or a network that an edit led out of it.
        metrics: what to measure, as in a file (``flatness.weights(copies=5)``); the space's
            objectives by default.
        seed: of a study; the trial's own derives from it.
        device: ``cpu`` or ``cuda``.
        base_folder: what relative paths of the data are relative to.

    Raises:
        DiagnosticError: a metric or setting is wrong, the data cannot be read, or the
            measurement failed (NAS650).
    """
    if metrics:
        space = _asking(space, [goal for text in metrics for goal in _goals(space, text)])
    plan, problems = read_plan(space, seed, None, None)
    if errors(problems):
        raise DiagnosticError(errors(problems))
    evaluator = _evaluator(space, plan, device, base_folder)
    subjects = Subjects(space, seed, plan.estimated)
    found: dict[str, tuple[Measured, dict[str, Any]]] = {}

    def measure(subject: Subject) -> tuple[Measured, dict[str, Any]]:
        if subject.fingerprint not in found:
            network, facts = subjects.network(subject)
            trial_seed = derive(seed, "trial", subject.fingerprint)
            measurement = evaluator(network, trial_seed, facts)
            found[subject.fingerprint] = measured_of(Result(0, measurement, None, 0.0), plan)
        return found[subject.fingerprint]

    center, stages = measure(_subject(subjects, architecture))
    around: dict[Any, list[Measured | None]] = {}
    if center.state == "complete":
        for ball in plan.balls:
            began = time.perf_counter()
            near = subjects.neighbors(cast("Architecture", architecture), ball)
            around[ball] = [measure(subject)[0] for _, subject in near]
            for part in plan.aggregates:
                if part.ball == ball:
                    stages[f"{part.name}_seconds"] = round(time.perf_counter() - began, 6)
    judged = plan.judge(center, around)
    if judged.state == "failed":
        raise problem("NAS650", f"{architecture!r} could not be measured: {judged.reason}")
    values, spreads = {**center.values, **judged.values}, {**center.spreads, **judged.spreads}
    return [
        Score(
            aim.name,
            values[aim.name],
            spreads.get(aim.name),
            aim.request.unit,
            stages.get(f"{aim.name}_seconds", 0.0),
            aim.request.facts.definition,
        )
        for aim in {aim.name: aim for aim in plan.aims}.values()
    ]


def _subject(subjects: Subjects, architecture: Architecture | Outside) -> Subject:
    if architecture.rank is None:
        return Subject(architecture.fingerprint, network=to_plain(architecture.network))
    return subjects.of_architecture(architecture)


def _goals(space: Space, text: str) -> tuple[Goal, ...]:
    """The goal that asks for one metric; its arguments may use what the file declares."""
    # On a line of its own, so that a diagnostic shows the metric and nothing else.
    tree = parse(Source("--metric", f"objective {{ maximize\n{text}\n}}"))
    if tree.problems:
        raise DiagnosticError(tree.problems)
    objective = tree.statements[0] if len(tree.statements) == 1 else None
    if not isinstance(objective, Objective) or len(objective.goals) != 1:
        raise problem("NAS651", f"expected one metric, as 'accuracy', found '{text}'")
    blocks, problems = read_blocks(replace(space.program, goals={"objective": objective}))
    if errors(problems):
        raise DiagnosticError(errors(problems))
    return blocks.goals


def _asking(space: Space, goals: Sequence[Goal]) -> Space:
    """The same space with other objectives."""
    changed = copy.copy(space)
    changed.blocks = replace(space.blocks, goals=tuple(goals), best=None)
    return changed


def _evaluator(space: Space, plan: Plan, device: str, base_folder: str) -> Evaluator:
    data, problems = read_data(space.data)
    train, wrong = read_train(space.train)
    problems += wrong
    if errors(problems):
        raise DiagnosticError(errors(problems))
    from nasdsl.study.evaluator import Evaluator

    requests = tuple(request for _, request in plan.measured)
    if data.source == SOURCE:
        check_table(space, data, requests, base_folder)
    elif any(request.facts.cost != "static" for request in requests):
        without_table(requests, data.span)
        # Data that cannot be read or do not fit are no failure of the network.
        from nasdsl.training.data import check_fit, load

        span = None if space.data is None else space.data.span
        loaded = load(data, base_folder, device)
        check_fit(loaded, space.input, space.output, train, span)
    return Evaluator(data, train, requests, device, base_folder)
