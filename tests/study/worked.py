"""A small study whose candidates are judged by a formula instead of a training.

The formula depends on the network and the seed alone, like a training does, so all that the
study itself promises can be tested in milliseconds. Not a test file: also run as a program by
the tests that kill processes.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nasdsl
from nasdsl.graph.network import Network
from nasdsl.objectives.measurement import Measurement, Value
from nasdsl.search import read_search
from nasdsl.seeding import generator
from nasdsl.space import Space
from nasdsl.study import store
from nasdsl.study.executors import Executor, InProcess, Processes, Result, Task
from nasdsl.study.loop import Study
from nasdsl.study.plan import Plan, read_plan
from nasdsl.study.records import Trial

TEXT = """
space tiny
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | skip = identity
  | pool = avgpool(3, stride=1)
  | conv = conv(c, 3) >> relu
network = conv(width, 3) >> Op(width) * 2 >> (identity + Op(width)) * depth
    >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
        depth in 1..3
neighborhood {
  edit swap: any Op
  edit resize: step width
  edit deepen: step depth
}
"""
GOALS = """objective { maximize accuracy, maximize flatness.neighborhood(samples=3), minimize params }
search na_random { samples 5, seed 7 }
"""

Evaluate = Callable[[Network, int, Mapping[str, float]], Measurement]


def space(goals: str = GOALS, text: str = TEXT) -> Space:
    return nasdsl.load(text + goals)


def measured(**values: float) -> Measurement:
    return Measurement({name: Value(float(value)) for name, value in values.items()})


def formula(network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
    """An accuracy drawn by the seed, and the true number of parameters."""
    accuracy = 100 * generator("accuracy", seed, network.params).random()
    return measured(accuracy=accuracy, params=network.params)


class Slow:
    """The formula after a while that differs from network to network."""

    def __init__(self, seconds: float):
        self.seconds = seconds

    def __call__(self, network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
        time.sleep(self.seconds * generator("time", seed).random())
        return formula(network, seed, facts)


class Failing:
    """Fails for networks of some widths, each in its own way; else the formula."""

    def __init__(self, **ways: Any):
        self.ways = {int(k.removeprefix("w")): v for k, v in ways.items()}

    def __call__(self, network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
        width = next(n.settings["channels"] for n in network.nodes if n.op == "conv")
        way = self.ways.get(width)
        if way is None:
            return formula(network, seed, facts)
        if isinstance(way, BaseException):
            raise way
        assert isinstance(way, Measurement)
        return way


class Shuffled:
    """Works on several tasks at once and gives results in an order of its own."""

    def __init__(self, evaluate: Evaluate, slots: int, seed: int):
        self._evaluate = evaluate
        self._draw = random.Random(seed)
        self.slots = slots
        self.tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        assert len(self.tasks) < self.slots
        self.tasks.append(task)

    def wait(self) -> list[Result]:
        self._draw.shuffle(self.tasks)
        done = [self.tasks.pop() for _ in range(self._draw.randint(1, len(self.tasks)))]
        return [
            Result(t.number, self._evaluate(t.network, t.seed, t.facts), None, 0.0) for t in done
        ]

    def stop(self) -> None:
        self.tasks.clear()


def plan_of(made: Space, limit: int | None = None) -> Plan:
    settings, problems = read_search(made.search)
    assert settings is not None and not problems
    score = settings.kind.score(settings.values, [g.name for g in made.goals])
    plan, problems = read_plan(made, settings.seed, limit, score)
    assert not problems
    return plan


def study(
    folder: Path,
    made: Space,
    evaluate: Evaluate = formula,
    limit: int | None = None,
    executor: Callable[[Evaluate], Executor] = InProcess,
    **options: Any,
) -> list[Trial]:
    """Begins or takes up the study in a folder and goes on to its end; its table."""
    if not (folder / store.NAME).exists():
        folder.mkdir(parents=True, exist_ok=True)
        store.create(folder, {"name": made.name})
    settings, _ = read_search(made.search)
    assert settings is not None
    options.setdefault("searcher", settings.searcher(made))
    with store.resume(folder) as facts:
        Study(
            facts,
            made,
            plan=plan_of(made, limit),
            executor=executor(evaluate),
            samples=settings.samples,
            **options,
        ).run()
        return facts.table()


def table(folder: Path) -> list[dict[str, Any]]:
    """The trial table as JSON, without what may differ between two runs."""
    with store.view(folder) as facts:
        return plain(facts.table())


def plain(rows: list[Trial]) -> list[dict[str, Any]]:
    found = [row.to_json() for row in rows]
    for row in found:
        del row["timing"]
    return found


if __name__ == "__main__":
    place, workers, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    many = "search na_random { samples 12, seed 7 }\n"
    made = space(GOALS.splitlines()[0] + "\n" + many)
    if workers == 1:
        study(place, made, Slow(seconds))
    else:
        study(place, made, Slow(seconds), executor=lambda e: Processes(e, workers, preload=()))
