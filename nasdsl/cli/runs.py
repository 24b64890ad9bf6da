"""Verbs about a run: ``run`` itself, ``trials`` and ``report``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasdsl.cli import layout, output
from nasdsl.cli.arguments import overridable, trusting

if TYPE_CHECKING:
    from nasdsl.study.progress import Style
    from nasdsl.study.records import Trial
    from nasdsl.study.run import StudyResult


@click.command(
    epilog="""\b
Examples:
  nasdsl trials runs/digits_tiny-1
  nasdsl trials runs/digits_tiny-1 --json | jq .objectives.accuracy
"""
)
@click.argument("folder", metavar="DIR")
@output.answers
def trials(folder: str) -> None:
    """List the trials of a run, also of one that is going on.

    With -v the decisions of each are printed too.
    """
    from nasdsl.study.store import view

    out = output.current()
    with view(Path(folder)) as store:
        rows = store.table()
    if out.as_json:
        for trial in rows:
            out.record(trial.to_json())
        return
    names = list(dict.fromkeys(name for trial in rows for name in trial.objectives))
    head = ("trial", "state", "rank", *names, "seconds")
    first, *lines = layout.table((_row(trial, names) for trial in rows), head, left=(1,))
    out.line(first)
    for trial, line in zip(rows, lines, strict=True):
        out.line(line)
        if trial.reason:
            for text in layout.wrapped(trial.reason, "       "):
                out.line(text)
        if out.verbose and trial.decisions:
            for text in layout.decisions(trial.decisions, "       "):
                out.line(text)


def _row(trial: Trial, names: list[str]) -> tuple[str, ...]:
    seconds = trial.timing.get("seconds")
    return (
        str(trial.number),
        trial.state,
        layout.rank(trial.rank),
        *(layout.number(trial.objectives.get(name)) for name in names),
        "-" if seconds is None else f"{seconds:.1f}",
    )


@click.command(
    epilog="""\b
Examples:
  nasdsl run examples/quickstart.nas
  nasdsl run space.nas -o runs/first --set search.samples=100 --workers 2
  nasdsl run --resume runs/first
"""
)
@click.argument("file", required=False)
@click.option("-o", "--out", metavar="DIR", help="The run folder; runs/NAME-N by default.")
@click.option("--resume", metavar="DIR", help="Go on with the run in this folder.")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train N networks at most, those that are there included.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that train; the results do not depend on it.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Where to train; the CPU by default, or where the resumed run did.",
)
@trusting
@overridable
@output.answers
def run(
    file: str | None,
    out: str | None,
    resume: str | None,
    trials: int | None,
    workers: int,
    device: str | None,
    overrides: dict[str, str],
) -> int:
    """Search a space as its file says; leave a report and the best network.

    Ctrl-C stops cleanly, and --resume goes on. The exit code is 3 if no trial succeeded. With
    -v each trial is printed on a line of its own, also on a terminal.
    """
    if file is None and resume is None:
        raise click.UsageError("Give a FILE to search, or --resume DIR to go on with a run.")
    if resume is not None and (file is not None or out is not None or overrides):
        raise click.UsageError(
            "A resumed run keeps its file, folder and settings: "
            "--resume goes with --trials, --workers and --device only."
        )
    from nasdsl.study.run import run as run_study

    answer = output.current()
    style: Style = "plain" if answer.verbose else "auto"
    if answer.quiet or answer.as_json:
        style = "quiet"
    result = run_study(
        file,
        out=out,
        resume=resume,
        overrides=overrides or None,
        workers=workers,
        device=device,
        trials=trials,
        progress=style,
    )
    if answer.as_json:
        answer.record(_summary(result))
    else:
        for line in _closing(result):
            answer.line(line)
    return result.exit_code


def _summary(result: StudyResult) -> dict[str, Any]:
    return {
        "folder": str(result.folder),
        "report": str(result.report),
        "trials": {
            state: sum(trial.state == state for trial in result.trials)
            for state in ("complete", "failed")
        },
        "front": [trial.number for trial in result.front],
        "best": None if result.best is None else result.best.number,
        "test": result.figures.get("test"),
    }


def _closing(result: StudyResult) -> list[str]:
    """What a person is told at the end of a run."""
    summary = _summary(result)
    counts = summary["trials"]
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    pairs = [
        ("trials", f"{counts['complete']} complete{failed}"),
        ("front", ", ".join(map(str, summary["front"]))),
    ]
    best = result.best
    if best is not None:
        pairs.append(("best", f"trial {best.number}, {layout.rank(best.rank)}"))
        pairs.append(("validation", _figures(best.objectives)))
        pairs.append(("test", _figures(summary["test"] or {})))
    pairs += [("folder", summary["folder"]), ("report", summary["report"])]
    return layout.fields(pairs, indent="")


def _figures(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {layout.number(value)}" for name, value in values.items())


@click.command(
    epilog="""\b
Example:
  nasdsl report runs/digits_tiny-1
"""
)
@click.argument("folder", metavar="DIR")
@output.answers
def report(folder: str) -> None:
    """Write report.html of a run anew, also of one that is going on."""
    from nasdsl.study.run import report as write_report

    out = output.current()
    path = str(write_report(folder))
    if out.as_json:
        out.record({"report": path})
    else:
        out.line(path)
