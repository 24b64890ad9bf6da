"""The study: proposals become trials, trials become facts, until the search or the budget ends.

The state is a fold over the store, and every step is one transaction, so a study that is killed
at any instant goes on to the history it would have had:

- Trials are numbered when they are planned, in the order of the proposals (a center, then its
  neighbors), never when a worker is free or done.
- A trial's seed is derived from the study's seed and the network's fingerprint.
- A network whose fingerprint is known is not planned again.
- A trial that was running when the process died is run again.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import DiagnosticError
from nasdsl.search.searcher import Candidate, Outcome, Searcher
from nasdsl.seeding import derive
from nasdsl.study.executors import Executor, Result, Task
from nasdsl.study.plan import Ball, Plan
from nasdsl.study.predicted import Archive
from nasdsl.study.records import (
    ENDED,
    CenterFact,
    LinkFact,
    Measured,
    State,
    Subject,
    Trial,
    TrialFact,
    table,
)
from nasdsl.study.subjects import Subjects

if TYPE_CHECKING:
    from nasdsl.space import Space
    from nasdsl.study.store import Store


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a study stands.

    Attributes:
        rows: the trial table.
        expected: how many trials there will be at most, as far as is known.
        seconds: seconds of the trials that this process has seen through.
        ended: how many those are.
    """

    rows: Callable[[], list[Trial]]
    expected: int | None
    seconds: float
    ended: int


Listener = Callable[[Progress], None]


class Study:
    """One study over an open store. :meth:`run` may be called once."""

    def __init__(
        self,
        store: Store,
        space: Space,
        searcher: Searcher,
        plan: Plan,
        executor: Executor,
        samples: int,
        listener: Listener = lambda progress: None,
    ):
        self._store = store
        self._searcher = searcher
        self._plan = plan
        self._executor = executor
        self._samples = samples
        self._listener = listener
        self._subjects = Subjects(space, plan.seed, plan.estimated)
        self._archive = Archive(lambda subject: self._subjects.network(subject)[0])
        self._trials = {t.number: t for t in store.trials()}
        self._numbers = {t.subject.fingerprint: t.number for t in self._trials.values()}
        self._centers = store.centers()
        self._links: dict[int, list[LinkFact]] = {c.position: [] for c in self._centers}
        for link in store.links():
            self._links[link.center].append(link)
        self._candidates: dict[int, Candidate] = {}
        self._queue: list[int] = []
        self._awaiting: dict[int, set[int]] = {}
        self._running: dict[int, float] = {}
        self._over = False
        self._seconds = 0.0
        self._ended = 0

    def run(self) -> None:
        """Goes on until the search is over or the budget is spent.

        Raises whatever ends it early (``KeyboardInterrupt`` included) after the trials at work
        have been put back into the queue.
        """
        try:
            self._take_up()
            while True:
                self._fill()
                if not self._running:
                    break
                for result in self._executor.wait():
                    self._finish(result)
            self._close_cut()
        except BaseException:
            try:
                self._executor.stop()
            finally:
                with suppress(DiagnosticError):  # the store itself may be what failed
                    self._store.requeue()
            raise
        self._executor.stop()

    # Taking up

    def _take_up(self) -> None:
        self._store.requeue()
        for number, trial in self._trials.items():
            if trial.measured.state not in ENDED:
                self._trials[number] = replace(trial, measured=Measured())
                heapq.heappush(self._queue, number)
        history = []
        for center in self._centers:
            candidate = Candidate(center.draw, self._subjects.architecture(center.subject))
            self._candidates[center.position] = candidate
            told = None if self._is_cut(center.position) else self._outcome(center)
            history.append((candidate, told))
        self._searcher.replay(history)
        for center in self._centers:
            self._await(center.position)
        self._judge_ended(range(len(self._centers)))

    # Planning

    def _fill(self) -> None:
        while len(self._running) < self._executor.slots:
            while not self._queue and self._plan_one():
                pass
            # A budget that has been lowered leaves trials in the queue.
            if not self._queue or self._queue[0] >= self._limit:
                return
            self._start(heapq.heappop(self._queue))

    @property
    def _limit(self) -> float:
        return math.inf if self._plan.limit is None else self._plan.limit

    def _has_room(self) -> bool:
        return len(self._trials) < self._limit

    def _plan_one(self) -> bool:
        """Plans what is missing of the last center, or the next one; whether there was any."""
        if self._over:
            return False
        # Planning ends with the first neighbor without room, so only the last center has such.
        if self._centers and any(k.trial is None for k in self._links[len(self._centers) - 1]):
            planned = self._complete_links(len(self._centers) - 1)
        elif not self._has_room():
            planned = False
        elif self._must_wait():
            return False
        else:
            asked = self._searcher.ask(1)
            planned = bool(asked)
            if asked:
                self._add_center(asked[0])
        self._over = not planned
        return planned

    def _must_wait(self) -> bool:
        batch = self._searcher.batch
        return batch is not None and len(self._centers) % batch == 0 and not self._all_judged()

    def _all_judged(self) -> bool:
        return all(center.measured.state in ENDED for center in self._centers)

    def _add_center(self, candidate: Candidate) -> None:
        position = len(self._centers)
        subject = self._subjects.of_architecture(candidate.architecture)
        new: list[TrialFact] = []
        number = self._numbered(subject, position, None, new)
        assert number is not None, "a center is asked for only where the budget has room"
        center = CenterFact(position, candidate.index, subject, number)
        links = []
        for ball in self._plan.balls:
            for k, (edit, neighbor) in enumerate(
                self._subjects.neighbors(candidate.architecture, ball)
            ):
                trial = self._numbered(neighbor, position, edit, new)
                links.append(LinkFact(position, ball.name, k, edit, neighbor, trial))
        self._store.plan(new, [center], links)
        self._candidates[position] = candidate
        self._centers.append(center)
        self._links[position] = links
        self._enqueue(new)
        self._await(position)
        self._judge_ended([position])

    def _complete_links(self, position: int) -> bool:
        """Gives trials to the neighbors that an earlier, smaller budget had no room for."""
        new: list[TrialFact] = []
        links = [
            replace(k, trial=self._numbered(k.subject, position, k.edit, new))
            if k.trial is None
            else k
            for k in self._links[position]
        ]
        if links == self._links[position]:
            return False
        self._store.plan(new, links=links)
        self._links[position] = links
        self._enqueue(new)
        self._await(position)
        self._judge_ended([position])
        return True

    def _numbered(
        self, subject: Subject, position: int, edit: str | None, new: list[TrialFact]
    ) -> int | None:
        """The trial of a network: a known one, a new one, or none where the budget is spent."""
        known = self._numbers.get(subject.fingerprint)
        if known is not None:
            return known
        if not self._has_room():
            return None
        number = len(self._trials)
        seed = derive(self._plan.seed, "trial", subject.fingerprint)
        fact = TrialFact(number, subject, seed, position, edit, timing={"attempt": 0})
        self._trials[number] = fact
        self._numbers[subject.fingerprint] = number
        new.append(fact)
        return number

    def _enqueue(self, new: Sequence[TrialFact]) -> None:
        for fact in new:
            heapq.heappush(self._queue, fact.number)

    # Trials

    def _start(self, number: int) -> None:
        trial = self._trials[number]
        network, facts = self._subjects.network(trial.subject)
        timing = {"attempt": int(trial.timing.get("attempt", 0)) + 1, "started": _now()}
        self._store.start(number, timing)
        self._trials[number] = replace(trial, measured=Measured("running"), timing=timing)
        self._running[number] = time.monotonic()
        self._announce()
        self._executor.submit(Task(number, network, trial.seed, facts))

    def _finish(self, result: Result) -> None:
        trial = self._trials[result.number]
        measured, seconds = measured_of(result, self._plan)
        timing = {
            **trial.timing,
            "finished": _now(),
            "seconds": round(result.seconds, 6),
            **seconds,
        }
        self._trials[result.number] = replace(trial, measured=measured, timing=timing)
        judged = {p: self._judged(p) for p in sorted(self._ready(result.number))}
        self._store.finish(result.number, measured, timing, judged)
        del self._running[result.number]
        self._settle(judged)
        self._seconds += result.seconds
        self._ended += 1
        self._tell(judged)
        self._announce()

    # Centers

    def _await(self, position: int) -> None:
        """A center whose trials have not all ended is judged with the last of them."""
        for number in self._needed(position) - {None}:
            assert number is not None
            if self._trials[number].measured.state not in ENDED:
                self._awaiting.setdefault(number, set()).add(position)

    def _ready(self, number: int) -> set[int]:
        """The centers that have nothing more to wait for once this trial has ended."""
        return {p for p in self._awaiting.pop(number, set()) if self._is_ended(p)}

    def _needed(self, position: int) -> set[int | None]:
        """The trials that a center is judged by; ``None`` for those without room in the budget.

        Where a model fills in neighbors these are all up to the last of its own, so that it
        learns from the same ones in whatever order they end.
        """
        needed = {self._centers[position].trial, *(k.trial for k in self._links[position])}
        if self._plan.learns and None not in needed:
            needed |= set(range(max(n for n in needed if n is not None)))
        return needed

    def _is_ended(self, position: int) -> bool:
        return all(
            n is not None and self._trials[n].measured.state in ENDED
            for n in self._needed(position)
        )

    def _judge_ended(self, positions: Sequence[int]) -> None:
        judged = {
            p: self._judged(p)
            for p in positions
            if self._is_ended(p)
            and (self._centers[p].measured.state not in ENDED or self._is_cut(p))
        }
        self._store.judge(judged)
        self._settle(judged)
        self._tell(judged)

    def _is_cut(self, position: int) -> bool:
        """Whether a center lacks its neighborhood's objectives, perhaps for want of budget.

        Where the neighbors failed instead, judging it again comes to the same.
        """
        center = self._centers[position]
        if self._trials[center.trial].measured.state != "complete":
            return False
        missing = any(a.name not in center.measured.values for a in self._plan.aggregates)
        return center.measured.state in ENDED and missing

    def _judged(self, position: int) -> Measured:
        by_ball: dict[Ball, list[Measured | None]] = {}
        for ball in self._plan.balls:
            trials = [k.trial for k in self._links[position] if k.ball == ball.name]
            found = [None if n is None else self._trials[n].measured for n in trials]
            by_ball[ball] = [m if m is None or m.state in ENDED else None for m in found]
        center = self._trials[self._centers[position].trial].measured
        filled: dict[Ball, list[float | None]] = {}
        if self._plan.learns and center.state == "complete" and self._is_ended(position):
            filled = self._filled(position)
        return self._plan.judge(center, by_ball, filled)

    def _filled(self, position: int) -> dict[Ball, list[float | None]]:
        """Accuracies over whole balls, from all trials up to the last of the center's own."""
        numbers = sorted(n for n in self._needed(position) if n is not None)
        found: dict[Ball, list[float | None]] = {}
        for part in self._plan.aggregates:
            if part.whole is not None and part.whole not in found:
                trained = [
                    (self._trials[n].subject, value_of(self._trials[n].measured, part.source))
                    for n in numbers
                ]
                around = self._subjects.ball(self._candidates[position].architecture, part.whole)
                found[part.whole] = self._archive.fill(trained, around)
        return found

    def _settle(self, judged: Mapping[int, Measured]) -> None:
        for position, measured in judged.items():
            self._centers[position] = replace(self._centers[position], measured=measured)

    def _close_cut(self) -> None:
        """At the end of the budget: says of a cut neighborhood that it was cut."""
        judged = {}
        for center in self._centers:
            trial = self._trials[center.trial]
            is_open = center.measured.state not in ENDED or self._is_cut(center.position)
            if is_open and trial.measured.state in ENDED:
                judged[center.position] = self._judged(center.position)
        self._store.judge(judged)
        self._settle(judged)
        self._announce()

    # The searcher and the listener

    def _outcome(self, center: CenterFact) -> Outcome | None:
        if center.measured.state not in ENDED:
            return None
        values = {**self._trials[center.trial].measured.values, **center.measured.values}
        sound = center.measured.state == "complete"
        return Outcome("complete" if sound else "failed", values, center.measured.reason)

    def _tell(self, judged: Mapping[int, Measured]) -> None:
        for position in judged:
            outcome = self._outcome(self._centers[position])
            if outcome is not None:
                self._searcher.tell(self._candidates[position], outcome)

    def table(self) -> list[Trial]:
        """The trial table as it stands."""
        links = [link for position in self._links for link in self._links[position]]
        return table(self._trials.values(), self._centers, links)

    def _announce(self) -> None:
        expected: int | None = None
        if self._over:
            expected = len(self._trials)
        elif self._centers:
            each = len(self._trials) / len(self._centers)
            expected = max(len(self._trials), round(each * self._samples))
            if self._plan.limit is not None:
                expected = min(expected, max(self._plan.limit, len(self._trials)))
        self._listener(Progress(self.table, expected, self._seconds, self._ended))


def value_of(measured: Measured, name: str) -> float | None:
    """A value of what completed, else ``None``."""
    return measured.values.get(name) if measured.state == "complete" else None


def measured_of(result: Result, plan: Plan) -> tuple[Measured, dict[str, Any]]:
    """What a trial came to, and its times in seconds by stage.

    Every value passes the gate here: one that is not finite makes the trial a failure. Those
    that count something are recorded as integers.
    """
    measurement = result.measurement
    if measurement is None:
        return Measured("failed", result.reason), {}
    found = {name: float(v.value) for name, v in measurement.values.items()}
    values = {name: found[name] for name, _ in plan.measured if name in found}
    values |= {n: int(v) for n, v in values.items() if n in plan.whole and v.is_integer()}
    spreads = {
        name: float(v.spread)
        for name, v in measurement.values.items()
        if v.spread is not None and math.isfinite(v.spread)
    }
    state: State = measurement.state
    reason = measurement.reason
    for name in [n for n, value in values.items() if not math.isfinite(value)]:
        if state == "complete":
            state, reason = "failed", f"{name} is {values[name]}"
        del values[name]
        spreads.pop(name, None)
    stages = {f"{name}_seconds": round(float(s), 6) for name, s in measurement.timings.items()}
    return Measured(state, reason, values, spreads), stages


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
