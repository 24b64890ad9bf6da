"""The decisions of a cell: made once, and seen by every use of it together."""

from __future__ import annotations

import itertools
from collections.abc import Collection
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


def decisions(
    name: str, bodies: dict[Any, Step], sets: Collection[frozenset[Any]]
) -> list[CellDecisions]:
    """The decisions of a cell, given the bodies of its uses by signature.

    ``sets`` are the signatures with which single architectures use the cell. A decision's
    values are those that every use in an architecture allows, so where uses differ in that,
    or in what there is to decide, architectures that use the cell differently are told apart.
    Raises :class:`Mismatch` where the uses in one architecture differ in what there is to
    decide.
    """
    together = _Together()
    try:
        joint = together.product(tuple(bodies.values()))
    except Mismatch:
        joint = None
    if joint is not None and (len(sets) == 1 or not together.narrowed):
        return [CellDecisions(name, tuple(bodies), joint)]
    found = []
    for only in sets:
        mine = {sig: body for sig, body in bodies.items() if sig in only}
        joint = _Together().product(tuple(mine.values()))
        found.append(CellDecisions(name, tuple(mine), joint, frozenset(only)))
    return found


def apart(name: str, bodies: dict[Any, Step]) -> list[CellDecisions]:
    """The decisions of a cell at each of its uses by itself, to tell what is wrong there."""
    return [
        CellDecisions(name, (sig,), _Together().product((body,)), frozenset({sig}))
        for sig, body in bodies.items()
    ]


class _Together:
    """Several bodies walked at once."""

    def __init__(self) -> None:
        self.memo: dict[tuple[int, ...], Step] = {}
        self.narrowed = False
        """Some use allows a value that another does not."""

    def product(self, steps: tuple[Step, ...]) -> Step:
        """One step for all."""
        key = tuple(map(id, steps))
        if key not in self.memo:
            self.memo[key] = self._joined(steps)
        return self.memo[key]

    def _joined(self, steps: tuple[Step, ...]) -> Step:
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
                head.segment, self.product(tuple(s.step for s in steps if isinstance(s, Scope)))
            )
        if isinstance(head, Copy):
            if len({s.index for s in steps if isinstance(s, Copy)}) != 1:
                raise Mismatch
            return Copy(
                head.index, self.product(tuple(s.step for s in steps if isinstance(s, Copy)))
            )
        if isinstance(head, Owned):
            owned = [s for s in steps if isinstance(s, Owned)]
            if len({o.names for o in owned}) != 1:
                raise Mismatch
            return Owned(head.owner, head.names, self.product(tuple(o.step for o in owned)))
        if isinstance(head, Lift):
            lifts = [s for s in steps if isinstance(s, Lift)]
            inner = self.product(tuple(x.step for x in lifts))
            return _JointLift(inner, lifts)
        if isinstance(head, Branch):
            branches = [s for s in steps if isinstance(s, Branch)]
            if len({b.name for b in branches}) != 1:
                raise Mismatch
            options = {
                value: self.product(tuple(b.options[value] for b in branches))
                for value in head.options
                if all(value in b.options for b in branches)
            }
            if not options:
                raise Mismatch
            self.narrowed |= any(len(options) < len(b.options) for b in branches)
            return Branch(head.name, head.kind, head.of, options, head.span, head.owner)
        assert isinstance(head, Then)
        thens = [s for s in steps if isinstance(s, Then)]
        first = self.product(tuple(t.first for t in thens))
        rest: dict[Key, Step] = {}
        for outcome in first.outcomes:
            rest[outcome] = self.product(
                tuple(t.rest[k] for t, k in zip(thens, outcome, strict=True))
            )
        return Then(first, rest, head.keep)


def _inside(step: Step) -> Step:
    while isinstance(step, On):
        step = step.step
    return step
