"""Ranks: the place of an architecture in the order of the text, and back.

A step's ways to decide are ordered by its decisions, the first most significant. Ranks within a
step are counted under *weights*: the ways to go on after each of its outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nasdsl.space.residual import (
    DONE,
    Branch,
    Copy,
    Joint,
    Key,
    Late,
    Lift,
    On,
    Outcomes,
    Owned,
    Scope,
    Step,
    Then,
    UseCell,
    Whole,
)
from nasdsl.space.walk import join, named

Weights = Mapping[Key, int]


class Missing(Exception):
    """A decision without a value, or with one that is not allowed.

    Attributes: ``name`` of the decision, ``options`` in order, ``value`` or ``None``.
    """

    def __init__(self, name: str, options: tuple[Any, ...], value: Any = None):
        super().__init__(name)
        self.name = name
        self.options = options
        self.value = value


@dataclass
class Walk:
    """One walk over the steps: what is decided, and what is fixed of late decisions.

    ``ordered`` is false where any order will do, as for samples: late decisions then keep
    the place where they are taken.
    """

    decided: dict[str, Any] = field(default_factory=dict)
    cells: Mapping[tuple[str, Any], Key] = field(default_factory=dict)
    paths: dict[int, str] = field(default_factory=dict)
    ordered: bool = True
    fixed: dict[Late, Any] = field(default_factory=dict)
    counts: dict[Any, Outcomes] = field(default_factory=dict)
    """Outcomes under what is fixed, kept by the space from walk to walk."""

    def value(self, name: str, options: Mapping[Any, Any]) -> Any:
        """The value of a decision, checked against its options."""
        if name not in self.decided:
            raise Missing(name, tuple(options))
        value = self.decided[name]
        if value not in options:
            raise Missing(name, tuple(options), value)
        return value

    def agrees(self, key: tuple[Key, ...]) -> bool:
        """Whether the outcomes of a joint step are those of the cells inside."""
        return all(
            self.cells.get((c, sig), k) == k for outcome in key for c, sig, k in outcome[1] if c
        )

    # ---- counting under what is fixed

    def outcomes(self, step: Step) -> Outcomes:
        """The outcomes of a step when late decisions are fixed as they are."""
        if not self.fixed or not step.late:
            return step.outcomes
        relevant = tuple((late, v) for late, v in self.fixed.items() if late in step.late)
        if not relevant:
            return step.outcomes
        key = (id(step), relevant)
        found = self.counts.get(key)
        if found is None:
            found = self._counted(step)
            self.counts[key] = found
        return found

    def _counted(self, step: Step) -> Outcomes:
        out: Outcomes = {}
        if isinstance(step, Branch):
            for _, option in self.options(step):
                for key, ways in self.outcomes(option).items():
                    out[key] = out.get(key, 0) + ways
            return out
        if isinstance(step, Then):
            for key, ways in self.outcomes(step.first).items():
                for end, more in self.outcomes(step.rest[key]).items():
                    out[end] = out.get(end, 0) + ways * more
            return out
        if isinstance(step, Lift):
            return {step.lifted(k): ways for k, ways in self.outcomes(step.step).items()}
        if isinstance(step, On | Scope | Copy | Owned):
            return self.outcomes(step.step)
        return step.outcomes

    def options(self, branch: Branch) -> list[tuple[Any, Step]]:
        """The options of a decision that what is fixed allows."""
        if branch.owner is not None:
            late = (branch.owner, branch.name)
            if late in self.fixed:
                value = self.fixed[late]
                return [(value, branch.options[value])] if value in branch.options else []
        return list(branch.options.items())

    def ways(self, step: Step, weights: Weights) -> int:
        """The ways to decide a step, weighted."""
        return sum(n * weights.get(k, 0) for k, n in self.outcomes(step).items())


def unlifted(step: Lift, weights: Weights) -> dict[Key, int]:
    """Weights of a lifted step's outcomes, told by the outcomes inside."""
    return {k: weights.get(step.lifted(k), 0) for k in step.step.outcomes}


def late_values(step: Step, late: Late) -> list[Any]:
    """Every value that a late decision may take somewhere inside a step, in order."""
    found: dict[Any, None] = {}
    seen: set[int] = set()
    stack = [step]
    while stack:
        at = stack.pop()
        if id(at) in seen or late not in at.late:
            continue
        seen.add(id(at))
        if isinstance(at, Branch):
            if (at.owner, at.name) == late:
                found.update(dict.fromkeys(at.options))
            stack.extend(at.options.values())
        elif isinstance(at, Then):
            stack.extend((at.first, *at.rest.values()))
        elif isinstance(at, On | Scope | Copy | Owned | Lift):
            stack.append(at.step)
    values = list(found)
    # Numbers ascend and sets go by their members; alternatives and texts stay as declared.
    if all(isinstance(v, tuple | int | float) and not isinstance(v, bool) for v in values):
        return sorted(values)
    return values


def unrank(
    step: Step,
    weights: Weights,
    rank: int,
    walk: Walk,
    path: str = "",
    pending: str = "",
) -> tuple[Key, int]:
    """The decisions of a rank below ``walk.ways(step, weights)``, added to ``walk.decided``.

    Returns the outcome and the rank that is left within the outcome's weight.
    """
    while True:
        if isinstance(step, Then):
            first = walk.outcomes(step.first)
            ahead = {k: walk.ways(step.rest[k], weights) for k in first}
            if step.first.decides or len(ahead) > 1:
                key, rank = unrank(step.first, ahead, rank, walk, path, pending)
            else:
                key = step.first.key
            step = step.rest[key]
            if not step.decides and len(step.outcomes) == 1:
                return step.key, rank
        elif isinstance(step, Branch):
            name = named(step, walk.paths, path, pending)
            for value, option in walk.options(step):
                ways = walk.ways(option, weights)
                if rank < ways:
                    walk.decided[name] = value
                    step = option
                    break
                rank -= ways
            else:
                raise AssertionError("a rank beyond the total")
        elif isinstance(step, Scope):
            path = join(path, step.segment + pending)
            pending = ""
            step = step.step
        elif isinstance(step, Copy):
            pending += f"[{step.index}]"
            step = step.step
        elif isinstance(step, On):
            step = step.step
        elif isinstance(step, Lift):
            key, rank = unrank(step.step, unlifted(step, weights), rank, walk, path, pending)
            return step.lifted(key), rank
        elif isinstance(step, Owned):
            outer = walk.paths.get(step.owner, "")
            walk.paths[step.owner] = path
            if walk.ordered:
                rank = _fix(step, weights, rank, walk, path)
            key, rank = unrank(step.step, weights, rank, walk, path, pending)
            for name in step.names:
                walk.fixed.pop((step.owner, name), None)
            walk.paths[step.owner] = outer
            return key, rank
        elif isinstance(step, Whole):
            return DONE, _unrank_whole(step, rank // weights[DONE], walk)
        else:
            for key, ways in step.outcomes.items():
                weight = ways * weights.get(key, 0)
                if rank < weight:
                    return key, rank
                rank -= weight
            raise AssertionError("a rank beyond the total")


def _fix(step: Owned, weights: Weights, rank: int, walk: Walk, path: str) -> int:
    """Fix the late decisions of a declaration in its order; returns the rank that is left."""
    for name in step.names:
        late = (step.owner, name)
        for value in late_values(step.step, late):
            walk.fixed[late] = value
            ways = walk.ways(step.step, weights)
            if rank < ways:
                # Declared first, so it also comes first in what is shown.
                walk.decided[join(path, name)] = value
                break
            rank -= ways
        else:
            walk.fixed.pop(late, None)
    return rank


def rank_of(
    step: Step,
    weights: Weights,
    walk: Walk,
    path: str = "",
    pending: str = "",
) -> tuple[Key, int]:
    """The inverse of :func:`unrank`: the outcome, and the rank of its first way."""
    rank = 0
    while True:
        if isinstance(step, Then):
            ahead = {k: walk.ways(step.rest[k], weights) for k in walk.outcomes(step.first)}
            key, before = rank_of(step.first, ahead, walk, path, pending)
            rank += before
            step = step.rest[key]
        elif isinstance(step, Branch):
            name = named(step, walk.paths, path, pending)
            chosen = walk.value(name, step.options)
            for value, option in walk.options(step):
                if value == chosen:
                    break
                rank += walk.ways(option, weights)
            step = step.options[chosen]
        elif isinstance(step, Scope):
            path = join(path, step.segment + pending)
            pending = ""
            step = step.step
        elif isinstance(step, Copy):
            pending += f"[{step.index}]"
            step = step.step
        elif isinstance(step, On):
            step = step.step
        elif isinstance(step, Lift):
            key, before = rank_of(step.step, unlifted(step, weights), walk, path, pending)
            return step.lifted(key), rank + before
        elif isinstance(step, Owned):
            outer = walk.paths.get(step.owner, "")
            walk.paths[step.owner] = path
            for name in step.names:
                full = join(path, name)
                late = (step.owner, name)
                if full not in walk.decided:
                    continue
                for value in late_values(step.step, late):
                    walk.fixed[late] = value
                    if value == walk.decided[full]:
                        break
                    rank += walk.ways(step.step, weights)
            key, before = rank_of(step.step, weights, walk, path, pending)
            for name in step.names:
                walk.fixed.pop((step.owner, name), None)
            walk.paths[step.owner] = outer
            return key, rank + before
        elif isinstance(step, UseCell):
            out = step.keys[walk.cells[step.cell, step.signature]]
            for other, ways in step.outcomes.items():
                if other == out:
                    return out, rank
                rank += ways * weights.get(other, 0)
        elif isinstance(step, Whole):
            return DONE, rank + _rank_whole(step, walk) * weights[DONE]
        elif isinstance(step, Joint):
            for key, ways in step.outcomes.items():
                if walk.agrees(key):
                    return key, rank
                rank += ways * weights.get(key, 0)
        else:
            return step.key, rank


# ---- the whole network and its cells


def _ahead(whole: Whole, chosen: tuple[Any, ...]) -> dict[Key, int]:
    """Ways to go on after each outcome of the next of the first cells."""
    at = len(chosen)
    ahead: dict[Key, int] = {}
    for combination, weights in whole.combinations.items():
        if combination[:at] != chosen:
            continue
        ways = whole.body.total(weights)
        for cell, key in zip(whole.first[at + 1 :], combination[at + 1 :], strict=True):
            ways *= cell.joint.outcomes[key]
        ahead[combination[at]] = ahead.get(combination[at], 0) + ways
    return ahead


def _last(whole: Whole, final: Key) -> list[tuple[Any, dict[Key, int]]]:
    """The cells that only this outcome of the body uses, each with the ways to go on."""
    found: list[tuple[Any, dict[Key, int]]] = []
    after = 1
    for cell in reversed(whole.last):
        if cell.applies(final[1]):
            agreeing = whole.agreeing(cell, final)
            found.append((cell, dict.fromkeys(agreeing, after)))
            after *= cell.joint.total(agreeing)
    return found[::-1]


def _unrank_whole(whole: Whole, rank: int, walk: Walk) -> int:
    chosen: tuple[Any, ...] = ()
    for cell in whole.first:
        key, rank = unrank(cell.joint, _ahead(whole, chosen), rank, walk, cell.name)
        chosen = (*chosen, key)
    final, rank = unrank(whole.body, whole.combinations[chosen], rank, walk)
    for cell, weights in _last(whole, final):
        _, rank = unrank(cell.joint, weights, rank, walk, cell.name)
    return rank


def _rank_whole(whole: Whole, walk: Walk) -> int:
    rank = 0
    chosen: tuple[Any, ...] = ()
    for cell in whole.first:
        key, before = rank_of(cell.joint, _ahead(whole, chosen), walk, cell.name)
        rank += before
        chosen = (*chosen, key)
    final, before = rank_of(whole.body, whole.combinations[chosen], walk)
    rank += before
    for cell, weights in _last(whole, final):
        rank += rank_of(cell.joint, weights, walk, cell.name)[1]
    return rank
