"""A space as one computation in which every decision is a mixture of its alternatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nasdsl.compiler.plan import recipe_of
from nasdsl.compiler.recipe import Recipe
from nasdsl.compiler.supernet.trace import PlaceKey, edge_segment, edges, member_order
from nasdsl.diagnostics import DiagnosticError, problem
from nasdsl.graph.live import IDENTITY, ZERO
from nasdsl.graph.network import Node
from nasdsl.operations.operation import TensorType
from nasdsl.space import Space
from nasdsl.space.residual import (
    Branch,
    Copy,
    Emit,
    Fail,
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

LIMIT = 20_000
"""Most operations of a mixed supernet; one beyond would not train on any machine."""

Context = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """An operation on earlier results. ``zero``: its result is known to be zero."""

    place: PlaceKey
    recipe: Recipe
    operands: tuple[int, ...]
    zero: bool


@dataclass(frozen=True, slots=True)
class Mixed:
    """A sum of earlier results by the weights of a decision, those at ``indices``."""

    place: PlaceKey
    decision: str
    operands: tuple[int, ...]
    indices: tuple[int, ...]
    zero: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A result: its type, and its number; inputs come first."""

    type: TensorType
    at: int


@dataclass
class Merged:
    """All operations and mixtures in an order in which they can be computed.

    ``decisions`` maps names to alternatives; ``picked`` those that pick edges to how many.
    """

    inputs: int
    steps: dict[int, Applied | Mixed] = field(default_factory=dict)
    decisions: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    picked: dict[str, int] = field(default_factory=dict)
    output: int = 0

    def add(self, step: Applied | Mixed, type: TensorType) -> Value:
        """One more step."""
        at = self.inputs + len(self.steps)
        self.steps[at] = step
        return Value(type, at)

    def zero(self, value: Value) -> bool:
        """Whether a result is known to be zero."""
        return value.at >= self.inputs and self.steps[value.at].zero

    def needed(self) -> Iterator[tuple[int, Applied | Mixed]]:
        """The steps that the output depends on."""
        wanted = {self.output}
        for at, step in reversed(self.steps.items()):
            if at in wanted:
                wanted.update(step.operands)
        return ((at, step) for at, step in self.steps.items() if at in wanted)

    def mixtures(self) -> list[Mixed]:
        """The mixtures that the output depends on."""
        return [step for _, step in self.needed() if isinstance(step, Mixed)]


def merged(space: Space) -> Merged:
    """The mixture of a whole space.

    Raises a diagnostic for a decision whose alternatives give different types, and for a space
    whose supernet would be too large.
    """
    found = Merged(len(space.inputs))
    frame = tuple(Value(type, at) for at, type in enumerate(space.inputs))
    result = _Merging(space, found).run(space.step, frame, "", "", "", ())
    found.output = result.at
    return found


class _Merging:
    def __init__(self, space: Space, found: Merged) -> None:
        self.space = space
        self.found = found

    def run(
        self,
        step: Step,
        frame: tuple[Value, ...],
        place: str,
        path: str,
        pending: str,
        context: Context,
    ) -> Value:
        while True:
            if isinstance(step, Emit):
                operands = tuple([frame[i] for i in step.inputs])
                return self._emit(step, operands, (join(place, step.label + pending), context))
            if isinstance(step, Then):
                result = self.run(step.first, frame, place, path, pending, context)
                frame = (*frame, result) if step.keep else (result,)
                # All alternatives gave one type; what else is known of cells changes nothing.
                step = next(rest for key, rest in step.rest.items() if key[0] == result.type)
            elif isinstance(step, Scope):
                place = join(place, step.segment + pending)
                path = join(path, step.segment + pending)
                pending, step = "", step.step
            elif isinstance(step, On):
                frame = tuple([frame[i] for i in step.indices])
                step = step.step
            elif isinstance(step, Lift):
                step = step.step
            elif isinstance(step, Owned):
                raise problem(
                    "NAS819",
                    f"{' and '.join(step.names)} cannot be mixed: what they decide is read in "
                    "many places of the network",
                )
            elif isinstance(step, Copy):
                pending, step = f"{pending}[{step.index}]", step.step
            elif isinstance(step, Branch):
                return self._branch(step, frame, place, path, pending, context)
            elif isinstance(step, Ret):
                return frame[step.index]
            elif isinstance(step, UseCell):
                path, pending, step = step.cell, "", step.body
            elif isinstance(step, Whole):
                step = step.body
            else:
                assert isinstance(step, Fail)
                raise DiagnosticError([step.diagnostic])

    def _emit(self, step: Emit, operands: tuple[Value, ...], place: PlaceKey) -> Value:
        if step.op == IDENTITY:
            return operands[0]
        if step.op == "add":
            operands = tuple(v for v in operands if not self.found.zero(v)) or operands[:1]
            if len(operands) == 1:
                return operands[0]
        if len(self.found.steps) >= LIMIT:
            raise problem(
                "NAS821",
                f"the mixed supernet of '{self.space.name}' would have more than {LIMIT:,} "
                "operations; bind fewer decisions for the whole network",
            )
        types = tuple(value.type for value in operands)
        node = Node(place[0], step.op, step.settings, (), step.type, step.cost, step.span)
        at = tuple(value.at for value in operands)
        recipe = recipe_of(node, types)
        return self.found.add(Applied(place, recipe, at, step.op == ZERO), step.type)

    def _branch(
        self,
        branch: Branch,
        frame: tuple[Value, ...],
        place: str,
        path: str,
        pending: str,
        context: Context,
    ) -> Value:
        name = named(branch, {}, path, pending)
        picked = self._edges(branch, name, frame, place, path, pending, context)
        if picked is not None:
            return picked
        results = [
            self.run(option, frame, place, path, pending, (*context, (name, value)))
            for value, option in branch.options.items()
        ]
        types = list(dict.fromkeys(result.type for result in results))
        if len(types) > 1:
            shown = ", ".join(map(str, types[:-1]))
            raise problem(
                "NAS815",
                f"'{name}' cannot be mixed: its alternatives give {shown} and {types[-1]}, and "
                "only tensors of one type can be added",
                branch.span,
            )
        if len(results) == 1:
            return results[0]
        return self._mix(name, tuple(branch.options), results, (join(place, name), context))

    def _edges(
        self,
        branch: Branch,
        name: str,
        frame: tuple[Value, ...],
        place: str,
        path: str,
        pending: str,
        context: Context,
    ) -> Value | None:
        """The mixture of a pick by members, where each goes through a module of its own."""
        picks = edges(branch)
        if picks is None:
            return None
        steps: dict[Any, Step] = {}
        for members, found in picks.items():
            steps.update(zip(members, found.steps, strict=True))
        rest = next(iter(picks.values())).rest
        beside = [frame[i] for i in rest.inputs if i < len(frame)]
        members = tuple(sorted(steps, key=member_order))
        results = []
        for member in members:
            segment = edge_segment(branch, member) + pending
            inner = (*context, (name, member))
            at, below = join(place, segment), join(path, segment)
            results.append(self.run(steps[member], frame, at, below, "", inner))
        self.found.picked[name] = len(next(iter(branch.options)))
        key = (join(place, rest.label + pending), context)
        return self._emit(rest, (*beside, self._mix(name, members, results, key)), key)

    def _mix(
        self, name: str, alternatives: tuple[Any, ...], results: list[Value], place: PlaceKey
    ) -> Value:
        known = self.found.decisions.setdefault(name, alternatives)
        if known != alternatives:
            raise problem(
                "NAS817",
                f"'{name}' cannot be mixed: it has other alternatives in other architectures",
            )
        kept = [i for i, result in enumerate(results) if not self.found.zero(result)]
        if not kept:
            return results[0]
        step = Mixed(place, name, tuple(results[i].at for i in kept), tuple(kept))
        return self.found.add(step, results[0].type)
