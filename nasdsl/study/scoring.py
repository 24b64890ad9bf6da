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
from nasdsl.objectives.metrics import MetricRequest
from nasdsl.objectives.profile import STANDARD, Profile, ProfileSettings
from nasdsl.objectives.report_settings import read_report
from nasdsl.objectives.table import SOURCE, check_table, without_table
from nasdsl.seeding import derive
from nasdsl.space.blocks import read_blocks
from nasdsl.study.executors import Result
from nasdsl.study.loop import measured_of
from nasdsl.study.plan import Ball, Plan, read_plan
from nasdsl.study.records import Measured, Subject
from nasdsl.study.robustness import check_profile, fitting, profile_of
from nasdsl.study.subjects import Subjects
from nasdsl.training.settings import read_data, read_train

if TYPE_CHECKING:
    from nasdsl.graph.network import Network
    from nasdsl.objectives.measurement import Measurement
    from nasdsl.space import Architecture, Goal, Space
    from nasdsl.space.outside import Outside
    from nasdsl.study.evaluator import Evaluator
    from nasdsl.training.data.dataset import Dataset

ACCURACY = "accuracy"


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one network.

    Attributes:
        metric: its name; where two requests share one, the later's full written form.
        value: finite; a whole number where something is counted. ``None`` where it could not be
            had.
        spread: standard deviation over what was averaged, where something was.
        unit: of value and spread.
        seconds: what it took beyond work that it shares with others.
        definition: what exactly was measured.
        reason: why there is no value, where there is none.
    """

    metric: str
    value: float | None
    spread: float | None
    unit: str
    seconds: float
    definition: str
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The score as ``nasdsl score --json`` prints it."""
        return {
            "metric": self.metric,
            "value": self.value,
            "spread": self.spread,
            "unit": self.unit,
            "seconds": self.seconds,
            "definition": self.definition,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Near:
    """A neighbor of a network that is looked at: the edit, and its accuracy in percent, ``None``
    where its training failed."""

    edit: str
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """One network, measured.

    Attributes:
        scores: one for each metric, in the order in which they were asked for.
        profile: away from what it was trained on, where that was asked for and the training
            succeeded.
        accuracy: on the validation samples in percent, where the profile was asked for.
        neighbors: of its ball, where they were asked for.
        reason: why there is no profile where one was asked for.
        detail: the last traceback, where a metric failed.
    """

    scores: tuple[Score, ...]
    profile: Profile | None = None
    accuracy: float | None = None
    neighbors: tuple[Near, ...] = ()
    reason: str | None = None
    detail: str | None = None


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
    no training train nothing, and equal networks are trained once. A metric that cannot be had
    is a score with a reason, and takes no other with it.

    Args:
        space: says how to train, on which data, and what neighbors are.
        architecture: of the space, or a network that an edit led out of it.
        metrics: what to measure, as in a file (``flatness.weights(copies=5)``); the space's
            objectives by default.
        seed: of a study; the trial's own derives from it.
        device: ``cpu`` or ``cuda``.
        base_folder: what relative paths of the data are relative to.

    Raises:
        DiagnosticError: a metric or setting is wrong, or the data cannot be read.
    """
    asked = asking(space, metrics)
    return list(Scorer(asked, seed, device, base_folder).assess(architecture).scores)


def asking(space: Space, metrics: Sequence[str]) -> Space:
    """The space with metrics, as they are written in a file, for objectives; none: its own.

    Raises:
        DiagnosticError: NAS651 or the parser's own, a text is not one metric.
    """
    if not metrics:
        return space
    return _asking(space, [goal for text in metrics for goal in _goals(space, text)])


class Scorer:
    """Measures architectures of one space outside a run; equal networks are trained once.

    Args:
        space: whose objectives are measured, see :func:`asking`.
        seed: of a study.
        device: ``cpu`` or ``cuda``.
        base_folder: what relative paths of the data are relative to.
        profiled: networks are looked at away from what they were trained on too, as the space's
            ``report`` asks, else as far as the data allow.
        neighbors: how many neighbors of each are trained for the picture of its ball.

    Raises:
        DiagnosticError: a metric or setting is wrong, or the data cannot be read or do not fit.
    """

    def __init__(
        self,
        space: Space,
        seed: int = 0,
        device: str = "cpu",
        base_folder: str = ".",
        profiled: bool = False,
        neighbors: int = 0,
    ):
        plan, problems = read_plan(space, seed, None, None)
        if errors(problems):
            raise DiagnosticError(errors(problems))
        self._plan = plan
        self._seed = seed
        self._ball = Ball(neighbors) if neighbors else None
        self._evaluator, data = _evaluator(
            space, plan, device, base_folder, profiled or bool(neighbors)
        )
        self._profile = ProfileSettings()
        if profiled:
            self._profile = _profile(space, self._evaluator.data.source, data)
        self._subjects = Subjects(space, seed, plan.estimated)
        self._accuracies: dict[str, Measured] = {}

    def assess(self, architecture: Architecture | Outside) -> Assessment:
        """One network with all that was asked for."""
        subject = _subject(self._subjects, architecture)
        network, facts = self._subjects.network(subject)
        seed = derive(self._seed, "trial", subject.fingerprint)
        found = self._evaluator(network, seed, facts, keep_weights=bool(self._profile), each=True)
        center, stages = measured_of(Result(0, found, None, 0.0), self._plan)
        failures = dict(found.failures)
        values, spreads = dict(center.values), dict(center.spreads)
        if ACCURACY in values:
            own = {ACCURACY: values[ACCURACY]}
            self._accuracies[subject.fingerprint] = Measured("complete", None, own)
        for part in self._plan.aggregates:
            began = time.perf_counter()
            near = self._around(architecture, part.ball)
            alone = replace(self._plan, aggregates=(part,))
            # The center is complete as far as its neighborhood is concerned.
            sound = replace(center, state="complete" if part.source in values else "failed")
            sound = replace(sound, reason=sound.reason or failures.get(part.source))
            judged = alone.judge(sound, {part.ball: [measured for _, measured in near]})
            values |= judged.values
            spreads |= judged.spreads
            if judged.state == "failed":
                failures[part.name] = judged.reason or "its neighborhood has no value"
            stages[f"{part.name}_seconds"] = round(time.perf_counter() - began, 6)
        scores = tuple(
            Score(
                aim.name,
                values.get(aim.name),
                spreads.get(aim.name),
                aim.request.unit,
                stages.get(f"{aim.name}_seconds", 0.0),
                aim.request.facts.definition,
                None
                if aim.name in values
                else failures.get(aim.name) or found.reason or center.reason,
            )
            for aim in {aim.name: aim for aim in self._plan.aims}.values()
        )
        return self._looked_at(architecture, network, seed, found, scores)

    def _looked_at(
        self,
        architecture: Architecture | Outside,
        network: Network,
        seed: int,
        found: Measurement,
        scores: tuple[Score, ...],
    ) -> Assessment:
        """The scores with the profile and the picture of the ball, where they are asked for."""
        profile = None
        near: tuple[Near, ...] = ()
        if self._profile and found.weights is not None:
            profile = profile_of(
                network, found.weights, seed, self._evaluator, self._profile, "validation"
            )
        if self._ball is not None:
            near = tuple(
                Near(edit, measured.values.get(ACCURACY))
                for edit, measured in self._around(architecture, self._ball)
            )
        return Assessment(
            scores,
            profile,
            None if profile is None else profile.clean,
            near,
            found.reason if self._profile and profile is None else None,
            found.detail,
        )

    def _around(
        self, architecture: Architecture | Outside, ball: Ball
    ) -> list[tuple[str, Measured]]:
        """The edits and accuracies of a ball; a neighbor is trained for its accuracy alone."""
        # Also a network outside the space is a center to the edits.
        near = self._subjects.neighbors(cast("Architecture", architecture), ball)
        return [(edit, self._accuracy(subject)) for edit, subject in near]

    def _accuracy(self, subject: Subject) -> Measured:
        if subject.fingerprint not in self._accuracies:
            network, facts = self._subjects.network(subject)
            seed = derive(self._seed, "trial", subject.fingerprint)
            evaluator = replace(self._evaluator, requests=(MetricRequest(ACCURACY, (), ACCURACY),))
            found = evaluator(network, seed, facts)
            values = {name: value.value for name, value in found.values.items()}
            self._accuracies[subject.fingerprint] = Measured(found.state, found.reason, values)
        return self._accuracies[subject.fingerprint]


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


def _evaluator(
    space: Space, plan: Plan, device: str, base_folder: str, trained: bool
) -> tuple[Evaluator, Dataset | None]:
    """The evaluator, and the samples where networks are given any."""
    data, problems = read_data(space.data)
    train, wrong = read_train(space.train)
    problems += wrong
    if errors(problems):
        raise DiagnosticError(errors(problems))
    from nasdsl.study.evaluator import Evaluator

    requests = tuple(request for _, request in plan.measured)
    loaded = None
    if data.source == SOURCE:
        check_table(space, data, requests, base_folder)
    elif trained or any(request.facts.cost != "static" for request in requests):
        without_table(requests, data.span)
        # Data that cannot be read or do not fit are no failure of the network.
        from nasdsl.training.data import check_fit, load

        span = None if space.data is None else space.data.span
        loaded = load(data, base_folder, device)
        check_fit(loaded, space.input, space.output, train, span)
    return Evaluator(data, train, requests, device, base_folder), loaded


def _profile(space: Space, source: str, data: Dataset | None) -> ProfileSettings:
    """What the space's report asks for; where it asks for nothing, what the data allow."""
    report, problems = read_report(space.report)
    if errors(problems):
        raise DiagnosticError(errors(problems))
    if report.profile or data is None:
        check_profile(report.profile or STANDARD, space.report, source, data)
        return report.profile
    return fitting(STANDARD, data)
