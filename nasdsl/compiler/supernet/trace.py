"""The path of an architecture through a mixed supernet: which of its modules each node has.

A mixed supernet has a module for every way to come to a node, since alternatives share no
weights. A *place* there is the id of the node and the decisions on the way to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nasdsl.space.residual import (
    Branch,
    Copy,
    Emit,
    Key,
    Lift,
    On,
    Owned,
    Ret,
    Scope,
    Step,
    Then,
    UseCell,
    Whole,
)
from nasdsl.space.walk import join, named

PlaceKey = tuple[str, tuple[tuple[str, Any], ...]]
"""The id of a node as the supernet names it, and (decision, alternative) on the way there."""


@dataclass(frozen=True, slots=True)
class Edges:
    """A pick whose members each go through a module of their own and are then summed.

    ``steps`` are the modules, by position, on the frame of the pick; ``rest`` gives the sum,
    on the frame with their results added.
    """

    steps: tuple[Step, ...]
    rest: Emit


def edges(branch: Branch) -> dict[tuple[Any, ...], Edges] | None:
    """The options of a pick as edges; none where there is no choice, or one has another form."""
    if branch.kind != "pick" or len(branch.options) < 2:
        return None
    found: dict[tuple[Any, ...], Edges] = {}
    for members, option in branch.options.items():
        worked = _edges(option, len(members))
        if worked is None:
            return None
        found[members] = worked
    return found


def _edges(step: Step, number: int) -> Edges | None:
    steps: list[Step] = []
    while isinstance(step, Then) and step.keep and isinstance(step.first, Scope):
        if step.first.segment != str(len(steps)):
            return None
        steps.append(step.first.step)
        if len({key[0] for key in step.rest}) != 1:
            return None
        step = next(iter(step.rest.values()))
    if not isinstance(step, Emit) or step.op != "add" or len(steps) != number:
        return None
    return Edges(tuple(steps), step)


def edge_segment(branch: Branch, member: Any) -> str:
    """What stands in paths of a supernet for the edge from a member: ``inputs[1]``."""
    return f"{branch.name}[{member}]"


def member_order(member: Any) -> tuple[str, Any]:
    """What members of a pick are sorted by where they stand in the order of their weights."""
    return (type(member).__name__, member)


@dataclass
class Trace:
    """The places of one architecture's nodes, in the order of its operations as written.

    ``decide`` gives the value of a decision from its name in the supernet, its name in the
    space, and the step.
    """

    decide: Callable[[str, str, Branch], Any]
    places: list[PlaceKey] = field(default_factory=list)
    decisions: dict[str, Any] = field(default_factory=dict)
    weighed: dict[str, Any] = field(default_factory=dict)
    """The value of each decision by its name in the supernet."""
    owners: dict[int, str] = field(default_factory=dict)
    """Where declarations whose values are decided late stand."""

    def run(self, step: Step) -> list[PlaceKey]:
        """Follow the architecture from the whole space; returns ``places``."""
        self._run(step, "", "", "", "", ())
        return self.places

    def _run(
        self,
        step: Step,
        place: str,
        path: str,
        plain: str,
        pending: str,
        context: tuple[tuple[str, Any], ...],
    ) -> Key:
        """``path`` and ``plain``: where decisions are, named as in the supernet and the space."""
        while True:
            if isinstance(step, Emit):
                self.places.append((join(place, step.label + pending), context))
                return step.key
            if isinstance(step, Then):
                key = self._run(step.first, place, path, plain, pending, context)
                step = step.rest[key]
            elif isinstance(step, Scope):
                segment = step.segment + pending
                place, path, plain = join(place, segment), join(path, segment), join(plain, segment)
                pending, step = "", step.step
            elif isinstance(step, On | Whole):
                step = step.step if isinstance(step, On) else step.body
            elif isinstance(step, Lift):
                return step.lifted(self._run(step.step, place, path, plain, pending, context))
            elif isinstance(step, Owned):
                outer = self.owners.get(step.owner, "")
                self.owners[step.owner] = plain
                key = self._run(step.step, place, path, plain, pending, context)
                self.owners[step.owner] = outer
                return key
            elif isinstance(step, Copy):
                pending, step = f"{pending}[{step.index}]", step.step
            elif isinstance(step, Branch):
                name, plainly = (
                    named(step, self.owners, path, pending),
                    named(step, self.owners, plain, pending),
                )
                value = self._decided(name, plainly, step)
                picks = edges(step)
                if picks is None:
                    context, step = (*context, (name, value)), step.options[value]
                    continue
                found = picks[value]
                for slot, (member, edge) in enumerate(zip(value, found.steps, strict=True)):
                    segment = edge_segment(step, member)
                    self._run(
                        edge,
                        join(place, segment + pending),
                        join(path, segment + pending),
                        join(plain, str(slot) + pending),
                        "",
                        (*context, (name, member)),
                    )
                step = found.rest
            elif isinstance(step, UseCell):
                inner = self._run(step.body, place, step.cell, step.cell, "", context)
                return step.keys[inner]
            else:
                assert isinstance(step, Ret)
                return step.key

    def _decided(self, name: str, plain: str, branch: Branch) -> Any:
        if plain not in self.decisions:
            self.decisions[plain] = self.decide(name, plain, branch)
        value = self.decisions[plain]
        self.weighed[name] = value
        return value


def follow(step: Step, decisions: Mapping[str, Any]) -> Trace:
    """The trace of an architecture by its decisions."""
    trace = Trace(lambda name, plain, branch: decisions[plain])
    trace.run(step)
    return trace
