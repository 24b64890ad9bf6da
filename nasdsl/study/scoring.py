"""One architecture measured outside a run, as the file of its space says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import DiagnosticError, Source, errors, problem
from nasdsl.language.parser import parse
from nasdsl.language.settings import Entry
from nasdsl.language.syntax import Objective
from nasdsl.objectives.metrics import METRICS, MetricError, MetricRequest, labels, read_goal
from nasdsl.objectives.neighborhood import aggregate
from nasdsl.seeding import derive
from nasdsl.space.blocks import read_blocks
from nasdsl.study.plan import DEFAULT_GOAL, NEIGHBORHOOD, Ball
from nasdsl.study.subjects import Subjects
from nasdsl.training.settings import read_data, read_train

if TYPE_CHECKING:
    from nasdsl.objectives.measurement import Measurement, Value
    from nasdsl.space import Architecture, Space
    from nasdsl.study.evaluator import Evaluator
    from nasdsl.study.records import Subject


@dataclass(frozen=True, slots=True)
class Score:
    """One measured metric.

    Attributes:
        metric: its name; where two requests share one, the later's full written form.
        value: finite.
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
    architecture: Architecture,
    metrics: Sequence[Entry] = (),
    seed: int = 0,
    device: str = "cpu",
    base_folder: str = ".",
) -> list[Score]:
    """Trains an architecture once and measures it.

    With the seed of a study this gives the values that the study records for the architecture:
    its training, and the draw of its neighborhood, derive from the same keys. Metrics that need
    no training train nothing.

    Args:
        space: says how to train, on which data, and what neighbors are.
        architecture: of the space.
        metrics: what to measure; the space's objectives by default.
        seed: of a study; the trial's own derives from it.
        device: ``cpu`` or ``cuda``.
        base_folder: what relative paths of the data are relative to.

    Raises:
        DiagnosticError: a metric or setting is wrong, the data cannot be read, or the
            measurement failed (NAS650).
    """
    requests = _requests(space, metrics)
    names = labels(requests)
    balls = list(dict.fromkeys(_ball(r) for r in requests if r.metric == NEIGHBORHOOD))
    own = [r for r in requests if r.metric != NEIGHBORHOOD]
    if balls:
        accuracy, _ = read_goal(DEFAULT_GOAL)
        own += [accuracy] if accuracy is not None and accuracy not in own else []
    evaluator = _evaluator(space, own, device, base_folder)
    subjects = Subjects(space, seed)
    measured: dict[str, Measurement] = {}

    def measure(subject: Subject) -> Measurement:
        """A measurement; equal networks are trained once."""
        if subject.fingerprint not in measured:
            network, facts = subjects.network(subject)
            trial_seed = derive(seed, "trial", subject.fingerprint)
            measured[subject.fingerprint] = evaluator(network, trial_seed, facts)
        return measured[subject.fingerprint]

    center = measure(subjects.of_architecture(architecture))
    if center.state == "failed":
        raise problem("NAS650", f"{architecture!r} could not be measured: {center.reason}")
    around = {}
    seconds = {}
    for ball in balls:
        began = time.perf_counter()
        around[ball] = [measure(s) for _, s in subjects.neighbors(architecture, ball)]
        seconds[ball] = time.perf_counter() - began
    by_request = dict(zip(own, labels(own), strict=True))
    scores = []
    for name, request in dict(zip(names, requests, strict=True)).items():
        if request.metric == NEIGHBORHOOD:
            ball = _ball(request)
            value = replace(_aggregated(center, around[ball], request), seconds=seconds[ball])
        else:
            value = center.values[by_request[request]]
        scores.append(_score(name, request, value))
    return scores


def metrics_of(space: Space, texts: Sequence[str]) -> list[Entry]:
    """Metrics by how they are written, as ``flatness.weights(copies=5)``.

    Arguments may use what the space's text declares.

    Raises:
        DiagnosticError: a text is not that of one metric.
    """
    found = []
    for text in texts:
        # On a line of its own, so that a diagnostic shows the metric and nothing else.
        tree = parse(Source("--metric", f"objective {{ maximize\n{text}\n}}"))
        statements = tree.statements
        if tree.problems:
            raise DiagnosticError(tree.problems)
        objective = statements[0] if len(statements) == 1 else None
        if not isinstance(objective, Objective) or len(objective.goals) != 1:
            raise problem("NAS651", f"expected one metric, as 'accuracy', found '{text}'")
        blocks, problems = read_blocks(replace(space.program, goals={"objective": objective}))
        if errors(problems):
            raise DiagnosticError(errors(problems))
        found += [goal.entry for goal in blocks.goals]
    return found


def _requests(space: Space, metrics: Sequence[Entry]) -> list[MetricRequest]:
    entries = list(metrics) or [goal.entry for goal in space.goals] or [DEFAULT_GOAL]
    found = [read_goal(entry) for entry in entries]
    problems = [d for _, wrong in found for d in wrong]
    if errors(problems):
        raise DiagnosticError(errors(problems))
    return [request for request, _ in found if request is not None]


def _ball(request: MetricRequest) -> Ball:
    return Ball(request["samples"], request["radius"])


def _evaluator(
    space: Space, requests: list[MetricRequest], device: str, base_folder: str
) -> Evaluator:
    data, problems = read_data(space.data)
    train, wrong = read_train(space.train)
    problems += wrong
    if errors(problems):
        raise DiagnosticError(errors(problems))
    from nasdsl.study.evaluator import Evaluator

    if any(METRICS[r.metric].cost != "static" for r in requests):
        from nasdsl.training.data import check_fit, load

        loaded = load(data, base_folder, device)
        span = None if space.data is None else space.data.span
        check_fit(loaded, space.input, space.output, train, span)
    return Evaluator(data, train, tuple(requests), device, base_folder)


def _aggregated(center: Measurement, around: list[Measurement], request: MetricRequest) -> Value:
    def accuracy(measurement: Measurement) -> float | None:
        found = measurement.values.get(DEFAULT_GOAL.name)
        return None if found is None or measurement.state == "failed" else found.value

    try:
        return aggregate(accuracy(center), [accuracy(m) for m in around], request)
    except MetricError as error:
        raise problem("NAS650", f"{request.metric} could not be measured: {error}") from error


def _score(name: str, request: MetricRequest, value: Value) -> Score:
    return Score(
        name, value.value, value.spread, value.unit, value.seconds, request.facts.definition
    )
