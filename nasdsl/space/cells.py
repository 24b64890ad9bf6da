"""The decisions of a cell: made once, and seen by every use of it together."""

from __future__ import annotations

import itertools
from typing import Any

from nasdsl.space.residual import (
    Branch,
    CellDecisions,
    Copy,
    Joint,
    Key,
    Lift,
    On,
    Outcomes,
    Owned,
    Scope,
    Step,
    Then,
)


class Mismatch(Exception):
    """The uses of a cell do not have the same places to decide."""


class _JointLift(Lift):
    """Several lifted uses together."""

    __slots__ = ("lifts",)

    def __init__(self, step: Step, lifts: list[Lift]):
        self.lifts = lifts
        super().__init__(step, frozenset())

    def lifted(self, key: Key) -> Key:
        """Each use's outcome with what is known besides."""
        return tuple(lift.lifted(k) for lift, k in zip(self.lifts, key, strict=True))


def together(name: str, bodies: dict[Any, Step]) -> CellDecisions:
    """The decisions of a cell for the uses with these bodies.

    A decision's values are those that every use allows. Raises :class:`Mismatch` where the
    arguments of a use change which decisions there are.
    """
    return CellDecisions(name, tuple(bodies), _product(tuple(bodies.values()), {}))


def _product(steps: tuple[Step, ...], memo: dict[tuple[int, ...], Step]) -> Step:
    key = tuple(map(id, steps))
    if key not in memo:
        memo[key] = _joined(steps, memo)
    return memo[key]


def _joined(steps: tuple[Step, ...], memo: dict[tuple[int, ...], Step]) -> Step:
    steps = tuple(_inside(s) for s in steps)
    deciding = [s.decides for s in steps]
    if not any(deciding):
        outcomes: Outcomes = {}
        for combination in itertools.product(*(s.outcomes for s in steps)):
            outcomes[combination] = 1
        return Joint(outcomes, steps)
    if not all(deciding):
        raise Mismatch
    head = steps[0]
    if not all(type(s) is type(head) for s in steps):
        raise Mismatch
    if isinstance(head, Scope):
        if len({s.segment for s in steps if isinstance(s, Scope)}) != 1:
            raise Mismatch
        return Scope(
            head.segment, _product(tuple(s.step for s in steps if isinstance(s, Scope)), memo)
        )
    if isinstance(head, Copy):
        if len({s.index for s in steps if isinstance(s, Copy)}) != 1:
            raise Mismatch
        return Copy(head.index, _product(tuple(s.step for s in steps if isinstance(s, Copy)), memo))
    if isinstance(head, Owned):
        owned = [s for s in steps if isinstance(s, Owned)]
        if len({o.names for o in owned}) != 1:
            raise Mismatch
        return Owned(head.owner, head.names, _product(tuple(o.step for o in owned), memo))
    if isinstance(head, Lift):
        lifts = [s for s in steps if isinstance(s, Lift)]
        inner = _product(tuple(x.step for x in lifts), memo)
        return _JointLift(inner, lifts)
    if isinstance(head, Branch):
        branches = [s for s in steps if isinstance(s, Branch)]
        if len({b.name for b in branches}) != 1:
            raise Mismatch
        options = {
            value: _product(tuple(b.options[value] for b in branches), memo)
            for value in head.options
            if all(value in b.options for b in branches)
        }
        if not options:
            raise Mismatch
        return Branch(head.name, head.kind, head.of, options, head.span, head.owner)
    assert isinstance(head, Then)
    thens = [s for s in steps if isinstance(s, Then)]
    first = _product(tuple(t.first for t in thens), memo)
    rest: dict[Key, Step] = {}
    for outcome in first.outcomes:
        rest[outcome] = _product(
            tuple(t.rest[k] for t, k in zip(thens, outcome, strict=True)), memo
        )
    return Then(first, rest, head.keep)


def _inside(step: Step) -> Step:
    while isinstance(step, On):
        step = step.step
    return step
