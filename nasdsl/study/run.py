"""A whole run: from a text to a searched space, its report, and its best network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasdsl import loading
from nasdsl.diagnostics import DiagnosticError, errors, problem
from nasdsl.objectives.table import SOURCE, check_table, without_table
from nasdsl.study import choice, folder, oneshot, store
from nasdsl.study.executors import Executor, InProcess, Processes
from nasdsl.study.loop import Study
from nasdsl.study.progress import Style, display
from nasdsl.study.records import ENDED, Trial
from nasdsl.study.robustness import check_profile, spread_over, write_profiles
from nasdsl.study.run_settings import Settings, settings_of
from nasdsl.study.subjects import Subjects

if TYPE_CHECKING:
    from nasdsl.space import Space
    from nasdsl.study.evaluator import Evaluator

DONE, BARREN = 0, 3
SUSPECT_ATTEMPTS = 2
"""A trial that was begun so often without an end may be what ended the run: a crash, or the
system's answer to too much memory. It is then given a process of its own."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a run cleanly; ``folder`` is what ``resume`` takes."""

    def __init__(self, folder: Path):
        super().__init__(f"interrupted; go on with: nasdsl run --resume {folder}")
        self.folder = folder


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a run came to.

    Attributes:
        folder: the run folder.
        trials: the trial table, by number.
        front: the rows on the Pareto front.
        best: the row that was picked, ``None`` if no trial succeeded.
        figures: what ``best/metrics.json`` says (empty without a best).
    """

    folder: Path
    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    best: Trial | None
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / folder.REPORT

    @property
    def exit_code(self) -> int:
        """0, or 3 if no trial succeeded."""
        return DONE if any(t.state == "complete" for t in self.trials) else BARREN


def run(
    path_or_text: str | Path | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    overrides: Mapping[str, str] | None = None,
    workers: int = 1,
    device: str | None = None,
    trials: int | None = None,
    progress: Style = "auto",
) -> StudyResult:
    """Searches a space as its text says, and leaves a run folder.

    Args:
        path_or_text: the file, or the text itself; ``None`` when resuming.
        out: the run folder, new or empty; the next free ``runs/NAME-N`` by default.
        resume: a run folder to go on with; nothing else is needed.
        overrides: settings by name, as ``{"search.samples": "200"}``.
        workers: processes that train; with 1, and no time limit, this process does. A script
            that asks for more must have ``if __name__ == "__main__":``.
        device: ``cpu`` or ``cuda``; by default the CPU, or the device of the resumed run.
        trials: most networks to train, those that are there included.
        progress: ``auto`` is ``live`` on a terminal and ``plain`` elsewhere; or ``quiet``.

    Raises:
        DiagnosticError: the text, a setting, the data or the folder cannot be used.
        Interrupted: Ctrl-C; what was measured is kept, what was running waits.
    """
    if (path_or_text is None) == (resume is None):
        raise problem("NAS610", "a run needs either a file, or a folder to resume")
    if workers < 1:
        raise problem("NAS612", f"workers must be at least 1, found {workers}")
    if resume is not None:
        if out is not None or overrides:
            raise problem(
                "NAS610", "a resumed run keeps its folder and settings; give the folder alone"
            )
        place = Path(resume)
    else:
        assert path_or_text is not None
        place = _begin(path_or_text, out, overrides or {}, device, trials)
    with store.resume(place) as facts:
        try:
            return _go_on(place, facts, workers, device, trials, progress)
        except Interrupted:
            raise
        except KeyboardInterrupt:
            raise Interrupted(place) from None


def _begin(
    path_or_text: str | Path,
    out: str | Path | None,
    overrides: Mapping[str, str],
    device: str | None,
    trials: int | None,
) -> Path:
    space = loading.load(path_or_text, overrides)
    settings = _sound(space)
    base = _base_folder(space)
    if space.program.requires:
        space.sample()  # that nothing is feasible is told before there is a folder, too
    # Data that cannot be read or do not fit are told before there is a folder.
    _check_data(space, settings, device or "cpu", base)
    start = folder.Start(space.name, space.text, dict(overrides), base, space.used)
    head = {"seed": settings.search.seed, "device": device or "cpu", "trials": trials}
    return folder.make(start, None if out is None else Path(out), head)


def _base_folder(space: Space) -> str:
    path = Path(space.source_name)
    return str((path.parent if path.is_file() else Path()).resolve())


def _sound(space: Space) -> Settings:
    settings, found = settings_of(space)
    if settings is None:
        raise DiagnosticError(errors(found))
    return settings


def _check_data(space: Space, settings: Settings, device: str, base: str) -> None:
    from nasdsl.training.data import check_fit, load

    _check_device(device)
    requests = [request for _, request in settings.plan.measured]
    oneshot.check(space, settings.search, settings.data)
    if settings.data.source == SOURCE:
        check_table(space, settings.data, requests, base)
        check_profile(settings.report.profile, space.report, SOURCE, None)
        return
    without_table(requests, settings.data.span)
    data = load(settings.data, base, device)
    span = None if space.data is None else space.data.span
    check_fit(data, space.input, space.output, settings.train, span)
    check_profile(settings.report.profile, space.report, settings.data.source, data)


def _check_device(device: str) -> None:
    import torch

    if device not in ("cpu", "cuda"):
        raise problem("NAS611", f"the device must be 'cpu' or 'cuda', found '{device}'")
    if device == "cuda" and not torch.cuda.is_available():
        raise problem("NAS611", "there is no CUDA device that torch can use")


def _go_on(
    place: Path,
    facts: store.Store,
    workers: int,
    device: str | None,
    trials: int | None,
    progress: Style,
) -> StudyResult:
    from nasdsl.study.best import write_best
    from nasdsl.study.evaluator import Evaluator
    from nasdsl.study.report.write import write_report

    space, start = opened(place, facts.head())
    settings = _sound(space)
    head = facts.head()
    device = device or head["device"]
    limit = trials if trials is not None else head.get("trials")
    facts.note(device=device, trials=limit)
    if limit is None:
        limit = settings.search.trials
    plan = replace(settings.plan, limit=limit)
    _check_data(space, settings, device, start.base_folder)
    evaluator = Evaluator(
        settings.data,
        settings.train,
        tuple(request for _, request in plan.measured),
        device,
        start.base_folder,
    )
    with display(progress, plan, f"{space.name} in {place}", workers) as shown:
        lent = oneshot.trained(
            place,
            space,
            settings.search,
            settings.data,
            settings.train,
            device,
            start.base_folder,
            shown.say,
        )
        evaluator = replace(evaluator, inherited=lent.inherited)
        study = Study(
            facts,
            space,
            settings.search.searcher(space, lent.learned),
            plan,
            _executor(evaluator, workers, settings.search.timeout, device, _is_suspect(facts)),
            settings.search.samples,
            shown,
        )
        study.run()
        rows = facts.table()
        best = choice.best(rows, plan, space)
        figures: dict[str, Any] = {}
        if best is not None:
            shown.say(f"measuring the best network (trial {best.number}) on the test samples")
            subjects = Subjects(space, plan.seed, plan.estimated)
            figures = write_best(place, best, subjects, evaluator, settings.report.retrain)
            if settings.report.profile:
                chosen = spread_over(choice.front(rows, plan), best, settings.report.front)
                write_profiles(place, chosen, subjects, evaluator, settings.report, shown.say)
        write_report(place, facts, space, settings, plan)
    return StudyResult(place, tuple(rows), tuple(choice.front(rows, plan)), best, figures)


def opened(place: Path, head: Mapping[str, Any]) -> tuple[Space, folder.Start]:
    """The space of a run folder, with the overrides of its run."""
    start = folder.start_of(place, head)
    return loading.load(place / folder.TEXT, start.overrides), start


def _is_suspect(facts: store.Store) -> bool:
    """Whether a trial was begun several times, and the process died each time."""
    return any(
        t.measured.state not in ENDED and t.timing.get("attempt", 0) >= SUSPECT_ATTEMPTS
        for t in facts.trials()
    )


def _executor(
    evaluator: Evaluator, workers: int, timeout: float | None, device: str, suspect: bool
) -> Executor:
    if workers == 1 and timeout is None and not suspect:
        return InProcess(evaluator)
    # Only another process can be stopped in time, and die alone.
    return Processes(evaluator, workers, timeout, device)


def report(place: str | Path) -> Path:
    """Writes ``report.html`` of a run anew, also of one that is going on; gives its path.

    Raises:
        DiagnosticError: the folder holds no study that can be read.
    """
    from nasdsl.study.report.write import write_report

    path = Path(place)
    with store.view(path) as facts:
        space, _ = opened(path, facts.head())
        settings = _sound(space)
        write_report(path, facts, space, settings, settings.plan)
    return path / folder.REPORT
