"""Where trials are trained: in this process, or each in a process of its own.

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
    from nasdsl.graph.network import Network
    from nasdsl.objectives.measurement import Measurement

Evaluate = Callable[["Network", int, Mapping[str, float]], "Measurement"]
"""(network, seed, what the space knows of it) -> its measurement.

What it raises ends the study: the failure of a candidate is a measurement, not an exception.
"""

PRELOADED = ("torch", "nasdsl.study.evaluator")
GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Task:
    """One network to train."""

    number: int
    network: Network
    seed: int
    facts: Mapping[str, float] = field(default_factory=dict)


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


@dataclass(slots=True)
class _Work:
    task: Task
    process: BaseProcess
    pipe: Connection
    began: float
    ready: bool = False


class Processes:
    """Trains every task in a process of its own, so that no task can harm another.

    On the CPU processes are forked from a server that has torch loaded and has never done any
    work with it (a fork is safe only then); for CUDA they are spawned. A process that dies or
    takes longer than ``timeout`` seconds is its trial's outcome, with a reason.
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
        self._work: dict[int, _Work] = {}
        served = device == "cpu" and "forkserver" in multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if served else "spawn")
        if served:
            self._context.set_forkserver_preload(list(preload))

    @property
    def slots(self) -> int:
        """How many processes work at a time."""
        return self._slots

    def submit(self, task: Task) -> None:
        """Starts a process for the task."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_work, args=(theirs, self._evaluate, task), daemon=True
        )
        process.start()
        theirs.close()
        self._work[task.number] = _Work(task, process, ours, time.monotonic())

    def wait(self) -> list[Result]:
        """Waits for a process to deliver, to die, or to run out of time."""
        while True:
            ready = set(wait([w.pipe for w in self._work.values()], self._patience()))
            results = []
            for work in list(self._work.values()):
                result = self._heard(work) if work.pipe in ready else self._overdue(work)
                if result is not None:
                    del self._work[work.task.number]
                    results.append(result)
            if results:
                return results

    def stop(self) -> None:
        """Kills the processes."""
        for work in self._work.values():
            work.process.kill()
        for work in self._work.values():
            work.process.join()
            work.pipe.close()
        self._work.clear()

    def _patience(self) -> float | None:
        if self._timeout is None:
            return None
        first = min(work.began for work in self._work.values())
        return max(0.0, first + self._timeout - time.monotonic())

    def _heard(self, work: _Work) -> Result | None:
        seconds = time.monotonic() - work.began
        try:
            kind, value = work.pipe.recv()
        except (EOFError, ConnectionError):
            return Result(work.task.number, None, self._death(work), seconds)
        if kind == "ready":
            work.ready = True
            return None
        self._end(work)
        if kind == "told":
            raise value
        if kind == "raised":
            raise RuntimeError(f"a worker process failed by a bug of nasdsl:\n{value}")
        return Result(work.task.number, value, None, seconds)

    def _overdue(self, work: _Work) -> Result | None:
        seconds = time.monotonic() - work.began
        if self._timeout is None or seconds < self._timeout:
            return None
        work.process.kill()
        self._end(work)
        reason = f"timeout: not done after {self._timeout:g} s"
        return Result(work.task.number, None, reason, seconds)

    def _death(self, work: _Work) -> str:
        code = self._end(work)
        if not work.ready:
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

    @staticmethod
    def _end(work: _Work) -> int | None:
        """Sees the process out; its exit code."""
        work.process.join(GRACE_SECONDS)
        if work.process.exitcode is None:
            work.process.kill()
            work.process.join()
        code = work.process.exitcode
        work.pipe.close()
        work.process.close()
        return code


def _work(pipe: Connection, evaluate: Evaluate, task: Task) -> None:
    """The life of a worker process."""
    # Ctrl-C in a terminal reaches every process; only the coordinator answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()
    pipe.send(("ready", None))
    message: tuple[str, Any]
    try:
        message = ("done", evaluate(task.network, task.seed, task.facts))
    except DiagnosticError as error:
        message = ("told", DiagnosticError(error.diagnostics))
    except Exception:
        message = ("raised", traceback.format_exc())
    pipe.send(message)
    pipe.close()


def _die_with(parent: int) -> None:
    """Ends this process when the coordinator is gone: nobody would take its result."""
    wait([parent])
    os._exit(1)
