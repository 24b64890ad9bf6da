"""Where trials are trained: in this process, or in processes of their own.

An executor only carries work there and results back; the study commits every fact itself. Both
executors give equal results, since a trial depends on its network and its seed alone and is
trained with one thread in either.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Protocol

from nasdsl.diagnostics import DiagnosticError, problem

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

    from nasdsl.graph.network import Network
    from nasdsl.objectives.measurement import Fact, Measurement

Evaluate = Callable[["Network", int, Mapping[str, "Fact"]], "Measurement"]
"""(network, seed, what the space knows of it) -> its measurement.

What it raises ends the study: the failure of a candidate is a measurement, not an exception.
"""

PRELOADED = ("torch", "nasdsl.study.evaluator")
GRACE_SECONDS = 2.0
START_SECONDS = 120.0
"""A process that has not begun after so long never will."""
TRIALS_PER_PROCESS = 32
"""After so many a process is replaced, so that what leaks in it cannot pile up."""


@dataclass(frozen=True, slots=True)
class Task:
    """One network to train."""

    number: int
    network: Network
    seed: int
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task: a measurement, or the reason why there is none."""

    number: int
    measurement: Measurement | None
    reason: str | None
    seconds: float


class Executor(Protocol):
    """Takes tasks while it has slots, and gives results in any order."""

    @property
    def slots(self) -> int:
        """How many tasks it works on at a time."""
        ...

    def submit(self, task: Task) -> None:
        """Begins a task; called only while fewer than ``slots`` are at work."""
        ...

    def wait(self) -> list[Result]:
        """The results of at least one of the tasks at work."""
        ...

    def stop(self) -> None:
        """Abandons what is at work."""
        ...


class InProcess:
    """Trains in this very process, one task at a time."""

    slots = 1

    def __init__(self, evaluate: Evaluate):
        self._evaluate = evaluate
        self._tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        """Keeps the task for :meth:`wait`."""
        self._tasks.append(task)

    def wait(self) -> list[Result]:
        """Trains the task."""
        task = self._tasks.pop(0)
        began = time.monotonic()
        measurement = self._evaluate(task.network, task.seed, task.facts)
        return [Result(task.number, measurement, None, time.monotonic() - began)]

    def stop(self) -> None:
        """Forgets the task that was not begun."""
        self._tasks.clear()


@dataclass(eq=False, slots=True)
class _Worker:
    """One process, and the task it is at."""

    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    began: float = 0.0
    ready: bool = False
    done: int = 0


class Processes:
    """Trains in processes beside this one, each at one task at a time.

    A process that has begun keeps its data and its imports for the next task. It is replaced
    when its trial failed in any way, so that no trial starts in what another left behind. One
    that dies, or takes longer than ``timeout`` seconds, is the outcome of its trial alone.

    On the CPU processes are forked from a server that has torch loaded and has never done any
    work with it (a fork is safe only then); for CUDA they are spawned.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        slots: int,
        timeout: float | None = None,
        device: str = "cpu",
        preload: Sequence[str] = PRELOADED,
    ):
        self._evaluate = evaluate
        self._slots = slots
        self._timeout = timeout
        self._workers: list[_Worker] = []
        served = device == "cpu" and "forkserver" in multiprocessing.get_all_start_methods()
        self._context: ForkServerContext | SpawnContext
        if served:
            self._context = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload(list(preload))
        else:
            self._context = multiprocessing.get_context("spawn")

    @property
    def slots(self) -> int:
        """How many processes work at a time."""
        return self._slots

    def submit(self, task: Task) -> None:
        """Gives the task to a process that is idle, or to a new one."""
        idle = next((w for w in self._workers if w.task is None), None)
        worker = idle or self._started()
        try:
            worker.pipe.send(task)
        except (BrokenPipeError, ConnectionError):
            # It died while it was idle, which is no fault of this task.
            self._end(worker)
            worker = self._started()
            worker.pipe.send(task)
        worker.task, worker.began = task, time.monotonic()

    def wait(self) -> list[Result]:
        """Waits for a process to deliver, to die, or to run out of time."""
        while True:
            at_work = [w for w in self._workers if w.task is not None]
            ready = set(wait([w.pipe for w in at_work], self._patience(at_work)))
            results = []
            for worker in at_work:
                result = self._heard(worker) if worker.pipe in ready else self._overdue(worker)
                if result is not None:
                    results.append(result)
            if results:
                return results

    def stop(self) -> None:
        """Kills the processes."""
        for worker in self._workers:
            worker.process.kill()
        for worker in list(self._workers):
            self._end(worker)

    def _started(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._evaluate), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _patience(self, at_work: Sequence[_Worker]) -> float | None:
        ends = [
            worker.began + limit for worker in at_work if (limit := self._limit(worker)) is not None
        ]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _limit(self, worker: _Worker) -> float | None:
        """Seconds that a process may still be silent for, counted from ``began``."""
        if self._timeout is None:
            return None
        return self._timeout if worker.ready else self._timeout + START_SECONDS

    def _heard(self, worker: _Worker) -> Result | None:
        task = worker.task
        assert task is not None, "only a process at work is listened to"
        seconds = time.monotonic() - worker.began
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, ConnectionError):
            return Result(task.number, None, self._death(worker), seconds)
        if kind == "ready":
            # What a process takes to start is not the trial's time.
            worker.ready, worker.began = True, time.monotonic()
            return None
        if kind == "told":
            raise value
        if kind == "raised":
            raise RuntimeError(f"a worker process failed by a bug of nasdsl:\n{value}")
        worker.task = None
        worker.done += 1
        if value.state == "failed" or worker.done >= TRIALS_PER_PROCESS:
            self._end(worker)
        return Result(task.number, value, None, seconds)

    def _overdue(self, worker: _Worker) -> Result | None:
        task = worker.task
        assert task is not None, "only a process at work can be late"
        seconds = time.monotonic() - worker.began
        limit = self._limit(worker)
        if limit is None or seconds < limit:
            return None
        worker.process.kill()
        self._end(worker)
        reason = f"timeout: not done after {self._timeout:g} s"
        return Result(task.number, None, reason, seconds)

    def _death(self, worker: _Worker) -> str:
        code = self._end(worker)
        if not worker.ready:
            raise problem(
                "NAS620",
                f"worker processes cannot be started (exit code {code}); a script that runs a "
                "study with workers needs the line: if __name__ == '__main__':",
            )
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = ", as happens when memory runs out" if name == "SIGKILL" else ""
            return f"crashed: the process was ended by {name}{hint}"
        return f"crashed: the process ended with exit code {code}"

    def _end(self, worker: _Worker) -> int | None:
        """Sees the process out; its exit code."""
        self._workers.remove(worker)
        worker.pipe.close()  # an idle process ends when there is nobody to give it tasks
        worker.process.join(GRACE_SECONDS)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        code = worker.process.exitcode
        worker.process.close()
        return code


def _serve(pipe: Connection, evaluate: Evaluate) -> None:
    """The life of a worker process."""
    # Ctrl-C in a terminal reaches every process; only the coordinator answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()
    pipe.send(("ready", None))
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        message: tuple[str, Any]
        try:
            message = ("done", evaluate(task.network, task.seed, task.facts))
        except DiagnosticError as error:
            message = ("told", DiagnosticError(error.diagnostics))
        except Exception:  # a bug of ours: its traceback is told where it ends the study
            message = ("raised", traceback.format_exc())
        pipe.send(message)


def _die_with(parent: int) -> None:
    """Ends this process when the coordinator is gone: nobody would take its result."""
    wait([parent])
    os._exit(1)
