"""Counting and sampling between limits on an additive sum, without rejecting most draws.

The sum is measured in buckets. Rounding every summand down gives a set that holds all
architectures within the limits and a few beyond them; rounding up one that holds only such within
the upper one. Counting both gives certified bounds. A sample is drawn uniformly from the larger
set, decision by decision in proportion to the ways that are left, and drawn again in the rare case
that its exact sum is beyond a limit: what is kept is uniform over the architectures within.

A table of ways for every number of buckets left is one integer, a slot of bits for each number,
so that the tables of alternatives add up and an operation's cost shifts them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from nasdsl.space.costs import NO_USES, Extremes, Fold, TooMany, Uses
from nasdsl.space.quantities import Meter
from nasdsl.space.ranks import Walk
from nasdsl.space.residual import (
    DONE,
    Branch,
    Copy,
    Emit,
    Joint,
    Key,
    Lift,
    On,
    Owned,
    Scope,
    Step,
    Then,
    UseCell,
    Whole,
    steps,
)
from nasdsl.space.walk import join, named

COUNTING = 1 << 14
"""Buckets for counts: finer ones make the bounds tighter."""
SAMPLING = 1 << 12
"""Buckets for samples: finer ones make draws slower and repeated draws rarer."""

Table = int
Ahead = Mapping[Key, Table]


class Unsupported(Exception):
    """The space has a shape that the program does not cover."""


class Budget:
    """The ways to decide a space with an additive sum between two limits, both included.

    Without ``high`` the sum may be as large as any, without ``low`` as small. Rounded ``up``, the
    lower limit is not looked at. Raises :class:`Unsupported`.
    """

    def __init__(
        self,
        root: Step,
        meter: Meter,
        high: int | None,
        low: int | None = None,
        buckets: int = SAMPLING,
        up: bool = False,
    ):
        self.root = root
        self.meter = meter
        self._fold = Fold(Extremes(), 1, self._emitted, None if not meter.option else self._opted)
        try:
            least, most = self._fold.whole(root)
        except TooMany:
            raise Unsupported from None
        self.least, self.most = least[0], most[0]
        self.low = low
        self.high = self.most if high is None else min(high, self.most)
        for step in steps(root):
            if (isinstance(step, Emit) and meter.emit(step) < 0) or (
                isinstance(step, Branch) and any(self.extra(step, v) < 0 for v in step.options)
            ):
                raise Unsupported
        self.unit = max(1, -(-self.high // buckets))
        self.up = up
        self.slot = root.outcomes[DONE].bit_length() + 1
        self.mask = (1 << self.slot) - 1
        self._memo: dict[Any, Table] = {}
        self._aheads: dict[Any, Ahead] = {}
        self._alive: list[Any] = []
        self._spent = 0
        self.room = self.high // self.unit if self.high >= (low or 0) else -1
        self.all = (1 << (self.slot * (max(self.room, 0) + 1))) - 1
        ones = 0
        if self.room >= 0:
            # 1 in every slot in which what is left is not too much.
            unspent = self.room - (0 if up else self._rounded(low))
            ones = (self.all // self.mask) & ((1 << (self.slot * (unspent + 1))) - 1)
        self.end: dict[Key, Table] = {DONE: ones}

    def _emitted(self, step: Emit) -> tuple[int]:
        return (self.meter.emit(step),)

    def _opted(self, branch: Branch, value: Any) -> tuple[int]:
        return (self.extra(branch, value),)

    def extra(self, branch: Branch, value: Any) -> int:
        """What deciding for a value adds by itself."""
        return self.meter.option(branch, value) if self.meter.option else 0

    def _rounded(self, low: int | None) -> int:
        """The fewest buckets, each summand rounded down, that sums from ``low`` up may take."""
        if low is None or low <= 0:
            return 0
        lost = 0
        if self.unit > 1:
            # Rounding loses less than a bucket for each summand.
            fold = Fold(
                Extremes(),
                1,
                lambda step: (int(self.meter.emit(step) > 0),),
                lambda branch, value: (int(self.extra(branch, value) > 0),),
            )
            lost = fold.whole(self.root)[1][0]
        return max(0, low // self.unit - lost)

    # ---- costs in buckets

    def cost(self, raw: int) -> int:
        """A cost in buckets, rounded down (or up)."""
        return -(-raw // self.unit) if self.up else raw // self.unit

    # ---- counting

    @property
    def total(self) -> int:
        """Ways within the limits, by rounded costs."""
        if self.room < 0:
            return 0
        return self.ways(self.root, self.end, self.room)

    def ways(self, step: Step, ahead: Ahead, left: int) -> int:
        """Ways of a step and what follows it, with so many buckets left."""
        return self.within(self.table(step, ahead), left)

    def within(self, table: Table, left: int) -> int:
        """The ways that a table holds for so many buckets left."""
        return (table >> (left * self.slot)) & self.mask if left >= 0 else 0

    def shifted(self, table: Table, buckets: int) -> Table:
        """A table after spending buckets."""
        return (table << (buckets * self.slot)) & self.all if buckets else table

    def table(self, step: Step, ahead: Ahead) -> Table:
        """The ways of a step and what follows it, for every number of buckets left."""
        follow = tuple(id(ahead[k]) for k in step.outcomes)
        key = (id(step), follow)
        found = self._memo.get(key)
        if found is None:
            found = self._table(step, ahead)
            self._memo[key] = found
            self._alive.append([ahead[k] for k in step.outcomes])
        return found

    def _table(self, step: Step, ahead: Ahead) -> Table:
        if isinstance(step, Emit):
            return self.shifted(ahead[step.key], self.cost(self.meter.emit(step)))
        if isinstance(step, Branch):
            total = 0
            for value, option in step.options.items():
                spent = self.cost(self.extra(step, value))
                total += self.shifted(self.table(option, ahead), spent)
            return total
        if isinstance(step, Then):
            return self.table(step.first, self.after(step, ahead))
        if isinstance(step, On | Scope | Copy | Owned):
            return self.table(step.step, ahead)
        if isinstance(step, Lift):
            return self.table(step.step, self.unlifted(step, ahead))
        if isinstance(step, Whole):
            return self._whole(step, ahead[DONE])
        if len(step.outcomes) != 1:
            raise Unsupported
        return ahead[step.key]

    def after(self, step: Then, ahead: Ahead) -> Ahead:
        """What follows the first of two steps."""
        key = (id(step), "after", tuple(id(ahead[k]) for k in step.outcomes))
        found = self._aheads.get(key)
        if found is None:
            found = {k: self.table(step.rest[k], ahead) for k in step.first.outcomes}
            self._aheads[key] = found
            self._alive.append(ahead)
        return found

    def unlifted(self, step: Lift, ahead: Ahead) -> Ahead:
        """What follows a lifted step, told by the outcomes inside."""
        return {k: ahead[step.lifted(k)] for k in step.step.outcomes}

    # ---- cells

    def uses(self, whole: Whole) -> Uses:
        """How often each cell is used with each signature; the same in every architecture."""
        if not (whole.first or whole.last):
            return NO_USES
        found = {used for (_, used) in self._fold.fold(whole.body)}
        if len(found) != 1 or whole.last or len(whole.combinations) != 1:
            raise Unsupported
        return next(iter(found))

    def _whole(self, whole: Whole, table: Table) -> Table:
        ahead = dict.fromkeys(whole.body.outcomes, table)
        inner = self.table(whole.body, ahead)
        used = dict(self.uses(whole))
        for cell in reversed(whole.first):
            times = tuple(used.get((cell.name, sig), 0) for sig in cell.signatures)
            inner = self.joint(cell.joint, dict.fromkeys(cell.joint.outcomes, inner), times)
        return inner

    def joint(self, step: Step, ahead: Ahead, times: tuple[int, ...]) -> Table:
        """As :meth:`table`, for the decisions of a cell used so many times."""
        key = (id(step), times, tuple(id(ahead[k]) for k in step.outcomes))
        found = self._memo.get(key)
        if found is None:
            found = self._joint(step, ahead, times)
            self._memo[key] = found
            self._alive.append([ahead[k] for k in step.outcomes])
        return found

    def joint_raw(self, step: Joint, key: Key, times: tuple[int, ...]) -> int:
        """The cost of what is not decided in a cell, over all its uses."""
        raw = 0
        for part, k, n in zip(step.parts, key, times, strict=True):
            cost, inside = self._fold.fixed(part, k)
            if inside:
                raise Unsupported  # a cell inside a cell
            raw += n * cost[0]
        return raw

    def joint_cost(self, step: Joint, key: Key, times: tuple[int, ...]) -> int:
        """The same in buckets."""
        return self.cost(self.joint_raw(step, key, times))

    def _joint(self, step: Step, ahead: Ahead, times: tuple[int, ...]) -> Table:
        if isinstance(step, Joint):
            total = 0
            for key in step.outcomes:
                total += self.shifted(ahead[key], self.joint_cost(step, key, times))
            return total
        if isinstance(step, Branch):
            total = 0
            for value, option in step.options.items():
                spent = self.cost(self.extra(step, value))
                total += self.shifted(self.joint(option, ahead, times), spent)
            return total
        if isinstance(step, Then):
            return self.joint(step.first, self.joint_after(step, ahead, times), times)
        if isinstance(step, On | Scope | Copy | Owned):
            return self.joint(step.step, ahead, times)
        if isinstance(step, Lift):
            return self.joint(step.step, self.unlifted(step, ahead), times)
        raise Unsupported

    def joint_after(self, step: Then, ahead: Ahead, times: tuple[int, ...]) -> Ahead:
        """What follows the first of two steps inside a cell."""
        key = (id(step), times, "after", tuple(id(ahead[k]) for k in step.outcomes))
        found = self._aheads.get(key)
        if found is None:
            found = {k: self.joint(step.rest[k], ahead, times) for k in step.first.outcomes}
            self._aheads[key] = found
            self._alive.append(ahead)
        return found

    # ---- sampling

    def draw(self, generator: random.Random) -> dict[str, Any] | None:
        """The decisions of a uniform draw, or none where its exact sum is beyond a limit."""
        walk = Walk(ordered=False)
        self._spent = 0
        self._draw(self.root, self.end, self.room, generator, walk, "", "")
        if self._spent > self.high or (self.low is not None and self._spent < self.low):
            return None
        return walk.decided

    def _draw(
        self,
        step: Step,
        ahead: Ahead,
        left: int,
        generator: random.Random,
        walk: Walk,
        path: str,
        pending: str,
    ) -> tuple[Key, int]:
        """Draw the decisions of a step; returns its outcome and the buckets left."""
        while True:
            if isinstance(step, Emit):
                raw = self.meter.emit(step)
                self._spent += raw
                return step.key, left - self.cost(raw)
            if isinstance(step, Then):
                follow = self.after(step, ahead)
                key, left = self._draw(step.first, follow, left, generator, walk, path, pending)
                step = step.rest[key]
            elif isinstance(step, Branch):
                name = named(step, walk.paths, path, pending)
                spent = [self.cost(self.extra(step, v)) for v in step.options]
                ways = [
                    self.ways(option, ahead, left - n)
                    for option, n in zip(step.options.values(), spent, strict=True)
                ]
                value, step, left = self._taken(step, ways, spent, left, generator)
                walk.decided[name] = value
            elif isinstance(step, Scope):
                path = join(path, step.segment + pending)
                pending = ""
                step = step.step
            elif isinstance(step, Copy):
                pending += f"[{step.index}]"
                step = step.step
            elif isinstance(step, On):
                step = step.step
            elif isinstance(step, Owned):
                walk.paths[step.owner] = path
                step = step.step
            elif isinstance(step, Lift):
                inner = self.unlifted(step, ahead)
                key, left = self._draw(step.step, inner, left, generator, walk, path, pending)
                return step.lifted(key), left
            elif isinstance(step, Whole):
                return self._draw_whole(step, ahead, left, generator, walk)
            else:
                assert not isinstance(step, Joint | UseCell) or len(step.outcomes) == 1
                return step.key, left

    def _taken(
        self, step: Branch, ways: list[int], spent: list[int], left: int, generator: random.Random
    ) -> tuple[Any, Step, int]:
        """A value by its ways, its option, and the buckets left after it."""
        at = generator.randrange(sum(ways))
        for (value, option), n, buckets in zip(step.options.items(), ways, spent, strict=True):
            if at < n:
                self._spent += self.extra(step, value)
                return value, option, left - buckets
            at -= n
        raise AssertionError("a draw beyond the total")

    def _draw_whole(
        self, whole: Whole, ahead: Ahead, left: int, generator: random.Random, walk: Walk
    ) -> tuple[Key, int]:
        body = dict.fromkeys(whole.body.outcomes, ahead[DONE])
        tables = [self.table(whole.body, body)]
        used = dict(self.uses(whole))
        times = []
        for cell in reversed(whole.first):
            times.append(tuple(used.get((cell.name, sig), 0) for sig in cell.signatures))
            follow = dict.fromkeys(cell.joint.outcomes, tables[-1])
            tables.append(self.joint(cell.joint, follow, times[-1]))
        for cell, n, table in zip(whole.first, times[::-1], tables[-2::-1], strict=True):
            follow = dict.fromkeys(cell.joint.outcomes, table)
            left = self._draw_cell(cell.joint, follow, n, left, generator, walk, cell.name)
        _, left = self._draw(whole.body, body, left, generator, walk, "", "")
        return DONE, left

    def _draw_cell(
        self,
        step: Step,
        ahead: Ahead,
        times: tuple[int, ...],
        left: int,
        generator: random.Random,
        walk: Walk,
        path: str,
    ) -> int:
        return self._in_cell(step, ahead, times, left, generator, walk, path, "")[1]

    def _in_cell(
        self,
        step: Step,
        ahead: Ahead,
        times: tuple[int, ...],
        left: int,
        generator: random.Random,
        walk: Walk,
        path: str,
        pending: str,
    ) -> tuple[Key, int]:
        while True:
            if isinstance(step, Joint):
                keys = list(step.outcomes)
                ways = []
                for key in keys:
                    ways.append(self.within(ahead[key], left - self.joint_cost(step, key, times)))
                at = generator.randrange(sum(ways)) if len(keys) > 1 else 0
                for key, n in zip(keys, ways, strict=True):
                    if at < n:
                        self._spent += self.joint_raw(step, key, times)
                        return key, left - self.joint_cost(step, key, times)
                    at -= n
                raise AssertionError("a draw beyond the total")
            if isinstance(step, Then):
                follow = self.joint_after(step, ahead, times)
                key, left = self._in_cell(
                    step.first, follow, times, left, generator, walk, path, pending
                )
                step = step.rest[key]
            elif isinstance(step, Branch):
                name = named(step, walk.paths, path, pending)
                spent = [self.cost(self.extra(step, v)) for v in step.options]
                ways = [
                    self.within(self.joint(option, ahead, times), left - n)
                    for option, n in zip(step.options.values(), spent, strict=True)
                ]
                value, step, left = self._taken(step, ways, spent, left, generator)
                walk.decided[name] = value
            elif isinstance(step, Scope):
                path = join(path, step.segment + pending)
                pending = ""
                step = step.step
            elif isinstance(step, Copy):
                pending += f"[{step.index}]"
                step = step.step
            elif isinstance(step, Owned):
                walk.paths[step.owner] = path
                step = step.step
            elif isinstance(step, Lift):
                inner = self.unlifted(step, ahead)
                key, left = self._in_cell(
                    step.step, inner, times, left, generator, walk, path, pending
                )
                return step.lifted(key), left
            else:
                assert isinstance(step, On)
                step = step.step
