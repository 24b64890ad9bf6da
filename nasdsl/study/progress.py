"""What a person sees of a run: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TextIO

from nasdsl.study import choice
from nasdsl.study.loop import Progress
from nasdsl.study.plan import Plan
from nasdsl.study.records import ENDED, Trial

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Style = Literal["auto", "live", "plain", "quiet"]
LAST_ROWS = 10
FRONT_ROWS = 6


class Display(AbstractContextManager["Display"]):
    """Takes the progress of a study; this one shows nothing."""

    def __call__(self, progress: Progress) -> None:
        """Something has changed."""

    def say(self, text: str) -> None:
        """One line about the run as a whole."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


def display(style: Style, plan: Plan, title: str, workers: int = 1) -> Display:
    """The display of a style; ``auto`` is live on a terminal and plain elsewhere."""
    if style == "quiet":
        return Display()
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if style == "live" or (style == "auto" and on_terminal):
        return Live(plan, title, workers)
    return Plain(sys.stderr)


class Plain(Display):
    """One line for each trial that has ended, and for each center that is judged after that."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._told: dict[int, Trial] | None = None

    def __call__(self, progress: Progress) -> None:
        """Prints the trials that have ended since the last call."""
        rows = progress.rows()
        ended = [t for t in rows if _is_measured(t)]
        if self._told is None:
            # What a resumed study already has was told by the run that did it.
            self._told = {t.number: t for t in ended}
            if self._told:
                self.say(f"{len(self._told)} trials are there already")
        total = f" of {progress.expected}" if progress.expected is not None else ""
        for trial in ended:
            before = self._told.get(trial.number)
            self._told[trial.number] = trial
            if before is None:
                self.say(f"trial {trial.number}{total}: {summary(trial)}")
            elif trial.state in ENDED and _told(before) != _told(trial):
                self.say(f"center {trial.number}: {news(before, trial)}")

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=self._stream, flush=True)


def summary(trial: Trial) -> str:
    """A trial in one line: its role, values, time, or the reason of its failure."""
    role = "center" if trial.role == "center" else f"{trial.edit} of {trial.center}"
    seconds = trial.timing.get("seconds")
    took = f" in {seconds:.1f} s" if seconds is not None else ""
    if trial.state == "failed" and trial.reason:
        return f"{role}: failed: {trial.reason}{took}"
    values = ", ".join(f"{name} {number(value)}" for name, value in trial.objectives.items())
    return f"{role}: {values}{took}"


def news(before: Trial, trial: Trial) -> str:
    """What became known of a center with the last of its neighbors."""
    values = [
        f"{name} {number(value)}"
        for name, value in trial.objectives.items()
        if before.objectives.get(name) != value
    ]
    notes = [trial.reason] if trial.reason and trial.reason != before.reason else []
    failed = ["failed"] if trial.state == "failed" else []
    return ", ".join([*failed, *values, *notes]) or trial.state


def number(value: float | None) -> str:
    """A value in a few characters."""
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.4f}"


def clock(seconds: float) -> str:
    """A stretch of time as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Live(Display):
    """A display that stays in place: counts, the best so far, the front, the last trials."""

    def __init__(
        self,
        plan: Plan,
        title: str,
        workers: int,
        console: Console | None = None,
        now: Callable[[], float] = time.monotonic,
    ):
        from rich.console import Console
        from rich.live import Live as RichLive

        self._plan = plan
        self._title = title
        self._workers = workers
        self._now = now
        self._began = now()
        self._progress: Progress | None = None
        self._rows: list[Trial] = []
        self._console = console or Console(stderr=True)
        self._live = RichLive(
            get_renderable=self.render, console=self._console, refresh_per_second=4
        )

    def __enter__(self) -> Live:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Keeps the table for the next refresh."""
        self._progress, self._rows = progress, progress.rows()

    def say(self, text: str) -> None:
        """One line above the display."""
        from rich.text import Text

        self._console.print(Text(text))

    def render(self) -> RenderableType:
        """The display as it stands."""
        from rich.console import Group
        from rich.text import Text

        if self._progress is None:
            return Text(f"{self._title}: starting", style="dim")
        parts: list[RenderableType] = [self._head(), self._bar()]
        best = choice.best(self._rows, self._plan)
        if best is not None:
            found = choice.front(self._rows, self._plan)
            parts.append(self._front(found, best))
        parts.append(self._last())
        return Group(*parts)

    def _head(self) -> RenderableType:
        from rich.text import Text

        rows = self._rows
        failed = sum(t.state == "failed" for t in rows)
        text = Text(self._title, style="bold")
        elapsed = self._now() - self._began
        text.append(f"   {clock(elapsed)} elapsed", style="not bold")
        remaining = self._remaining()
        if remaining is not None:
            text.append(f", about {clock(remaining)} remaining", style="not bold")
        if failed:
            text.append(f"   {failed} failed", style="not bold red")
        return text

    def _remaining(self) -> float | None:
        progress = self._progress
        if progress is None or not progress.ended or progress.expected is None:
            return None
        left = progress.expected - sum(_is_measured(t) for t in self._rows)
        return max(0, left) * progress.seconds / progress.ended / self._workers

    def _bar(self) -> RenderableType:
        from rich.columns import Columns
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        done = sum(_is_measured(t) for t in self._rows)
        total = self._progress.expected if self._progress is not None else None
        label = Text(f"{done} of {total if total is not None else '?'} trials")
        return Columns([ProgressBar(total=total, completed=done, width=40), label])

    def _names(self) -> list[str]:
        known = [aim.name for aim in self._plan.aims]
        return list(dict.fromkeys([*known, *(n for n, _ in self._plan.measured)]))

    def _front(self, found: list[Trial], best: Trial) -> RenderableType:
        # The best first, then those that are best in the first objective.
        first = self._plan.aims[0]
        sign = -1 if first.maximize else 1
        rest = sorted(
            (t for t in found if t.number != best.number),
            key=lambda t: sign * t.objectives.get(first.name, 0.0),
        )
        title = f"Pareto front: {len(found)} of {sum(t.role == 'center' for t in self._rows)}"
        return self._table(title, [best, *rest][:FRONT_ROWS], best.number)

    def _last(self) -> RenderableType:
        begun = [t for t in self._rows if t.state != "queued"]
        begun.sort(key=lambda t: (t.timing.get("started", ""), t.number))
        return self._table("Last trials", begun[-LAST_ROWS:], None)

    def _table(self, title: str, rows: list[Trial], best: int | None) -> RenderableType:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        table.add_column("#", justify="right")
        table.add_column("role", no_wrap=True, max_width=22)
        for name in self._names():
            # A long name is broken at its dots rather than cut.
            table.add_column(Text(name.replace(".", ".\n")), justify="right")
        table.add_column("state")
        for t in rows:
            role = "center" if t.role == "center" else f"{t.edit} of {t.center}"
            state = "best" if t.number == best else t.state
            style = {"failed": "red", "running": "cyan", "best": "bold green"}.get(state, "")
            note = f"{state}: {t.reason}" if t.state == "failed" and t.reason else state
            table.add_row(
                str(t.number),
                Text(role),
                *(number(t.objectives.get(name)) for name in self._names()),
                Text(note, style=style, overflow="ellipsis", no_wrap=True),
            )
        return table


def _told(trial: Trial) -> tuple[object, ...]:
    """What a line about a trial says of it."""
    return trial.state, trial.reason, dict(trial.objectives)


def _is_measured(trial: Trial) -> bool:
    """Ended itself, though as a center it may still wait for its neighbors."""
    return trial.state in ENDED or "seconds" in trial.timing
