"""The sandwich rule: which paths of an elastic supernet one step of training takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nasdsl.compiler.supernet.trace import Trace
from nasdsl.seeding import Key, generator
from nasdsl.space import Architecture, Space
from nasdsl.space.residual import Branch


def extreme(space: Space, largest: bool, *keys: Key) -> Architecture:
    """The architecture with the largest, or smallest, of every number that is decided.

    Decisions that are not between numbers are drawn uniformly, derived from the keys. What a
    space requires is not asked.
    """
    draw = generator("extreme", space.name, *keys)
    pick: Callable[[Sequence[Any]], Any] = max if largest else min

    def decide(name: str, plain: str, branch: Branch) -> Any:
        options = list(branch.options)
        if branch.kind == "value" and all(isinstance(option, int | float) for option in options):
            return pick(options)
        return draw.choice(options)

    trace = Trace(decide)
    trace.run(space.step)
    return space.architecture(trace.decisions)


def sandwich(space: Space, random: int, *keys: Key) -> list[Architecture]:
    """The largest, the smallest and ``random`` others, as one step of training takes them.

    From Yu & Huang (2019): the extremes bound all between. The gradients of all are added
    before the optimizer steps.
    """
    others = space.samples(random, seed=":".join(map(str, keys))) if random else []
    return [extreme(space, True, *keys), extreme(space, False, *keys), *others]
