"""Uniform draws from the architectures that meet every ``require``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import DiagnosticError, Note, problem
from nasdsl.seeding import generator
from nasdsl.space.architecture import Architecture
from nasdsl.space.bounds import ENUMERATED, term_bounds
from nasdsl.space.budget import Budget, Unsupported
from nasdsl.space.combined import FEW, combined
from nasdsl.space.feasible import VISITED
from nasdsl.space.quantities import Window, meter, together, written
from nasdsl.space.ranks import Walk, unrank
from nasdsl.space.residual import DONE
from nasdsl.space.shortfall import Conditions, Shortfall, climb, windowed

if TYPE_CHECKING:
    from nasdsl.space.space import Space

MAX_REJECTED = 100_000
SUSPICIOUS = 100
"""After so many rejections it is looked up whether there is anything to find."""


class Sampler:
    """Draws architectures of one space under its conditions.

    From the tightest window on an additive sum, where there is one, else from the whole space;
    draws that break another condition are rejected, so what is kept is uniform.
    """

    def __init__(self, space: Space):
        self._space = space
        self._looked = False

    def draw(self, draw: random.Random) -> Architecture:
        """One architecture, uniform over those that meet every condition.

        Raises :class:`~nasdsl.diagnostics.DiagnosticError` where none is found, with how near
        architectures come to the conditions.
        """
        space = self._space
        rejected: list[Architecture] = []
        for tried in range(MAX_REJECTED):
            if tried == SUSPICIOUS and not self._looked:
                self._look(rejected)
                self._looked = True
            decided = self._candidate(draw)
            if decided is None:
                continue
            made = Architecture(space, decided)
            if space.allows(made):
                return space.assembled(decided)
            if len(rejected) < SUSPICIOUS:
                rejected.append(made)
        conditions = Conditions(space, space.program.requires)
        seen = Shortfall(conditions.texts)
        for architecture in rejected:
            seen.see(conditions.gaps(architecture))
        raise self._problem(
            "NAS321", f"{MAX_REJECTED:,} uniform draws met not every 'require'", seen.told(False)
        )

    def _candidate(self, draw: random.Random) -> dict[str, Any] | None:
        """The decisions of a draw, in any order; none where the draw does not count."""
        space, budget = self._space, self._budget
        if budget is not None:
            return budget.draw(draw)
        rank = draw.randrange(space.size)
        if space.flat is not None:
            return space.flat.decisions(rank)
        walk = Walk(ordered=False)
        unrank(space.step, {DONE: 1}, rank, walk)
        return walk.decided

    @cached_property
    def _budget(self) -> Budget | None:
        """The ways within the tightest window on a sum, to draw without many rejections."""
        read = [window for found in self._space.windows for window in found or ()]
        tightest: Budget | None = None
        for window in together(read):
            how = meter(self._space, window.terms)
            if how is None:
                continue
            try:
                budget = Budget(self._space.step, how, window.high, window.low)
                total = budget.total  # tells what is not supported
            except Unsupported:
                continue
            if total == 0:
                return None  # what is rejected then tells why
            if tightest is None or total < tightest.total:
                tightest = budget
        return tightest

    # ---- where nothing is found

    def _look(self, rejected: Sequence[Architecture]) -> None:
        """Raises where nothing meets the conditions, or nothing is found that does."""
        space = self._space
        nothing = f"no architecture of '{space.name}' is feasible"
        told = excluded(space)
        if told:
            raise self._problem("NAS320", nothing, told)
        conditions = Conditions(space, space.program.requires)
        seen = Shortfall(conditions.texts)
        for architecture in rejected:
            seen.see(conditions.gaps(architecture))
        # Drawn apart, so that samples do not depend on whether this has been looked up before.
        if climb(space, conditions, rejected, generator("nearer", space.name), seen):
            return
        if space.feasibility.least > 0:
            return
        if self._visitable:
            if any(seen.see(conditions.gaps(architecture)) for architecture in space):
                return
            raise self._problem("NAS320", nothing, seen.told())
        raise self._problem(
            "NAS321", f"no feasible architecture of '{space.name}' was found", seen.told(False)
        )

    @property
    def _visitable(self) -> bool:
        """Whether all architectures can be looked at in reasonable time."""
        space = self._space
        if any(
            "checkpoint_bytes" in space.program.deep(r.condition) for r in space.program.requires
        ):
            return space.size <= ENUMERATED  # each takes milliseconds
        return space.size * space.step.most <= VISITED

    def _problem(self, code: str, message: str, told: Sequence[str]) -> DiagnosticError:
        first, *others = told
        # At the condition that nothing meets by itself; of several together at the last.
        space = self._space
        requires = space.program.requires
        place = requires[-1].span
        for require, read in zip(requires, space.windows, strict=True):
            if any(unreachable(space, window) for window in read or ()):
                place = require.span
                break
        return problem(code, f"{message}: {first}", place, *map(Note, others))


def unreachable(space: Space, window: Window) -> list[str]:
    """Why no architecture comes into a window, as one clause; nothing where that is open."""
    if window.low is not None and window.high is not None and window.low > window.high:
        what = written(window.terms)
        return [f"{what} cannot be at least {window.low:,} and at most {window.high:,}"]
    bounds = term_bounds(space, window.terms)
    if bounds is None:
        return []
    if window.high is not None and bounds.low > window.high:
        value = bounds.low
    elif window.low is not None and bounds.high < window.low:
        value = bounds.high
    else:
        return []
    seen = Shortfall([str(window)])
    seen.see([windowed(window, value)])
    return seen.told()


def excluded(space: Space) -> list[str]:
    """What keeps any architecture from being feasible; nothing where that is open.

    Told by bounds of the sums that conditions measure, and by all cases of what conditions read
    where these are few.
    """
    read = together([window for found in space.windows for window in found or ()])
    told = [clause for window in read for clause in unreachable(space, window)]
    if told:
        return told
    requires = space.program.requires
    cases = combined(space, requires, FEW)
    seen = Shortfall(Conditions(space, requires).texts)
    if cases is None or any(seen.see(gaps) for gaps, _ in cases):
        return []
    return seen.told()
