"""Which bodies of a cell differ in sizes alone, so that their designs come out alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasdsl.operations.operation import Operation
from nasdsl.space.residual import (
    Branch,
    Copy,
    Emit,
    Lift,
    On,
    Owned,
    Ret,
    Scope,
    Step,
    Then,
    UseCell,
    below,
    steps,
)


def pattern(use: UseCell, operations: Mapping[str, Operation]) -> Any:
    """What decides how the designs of a cell's body come out: equal for bodies that are alike.

    Such bodies have the same steps in the order of :func:`steps`, operations of the same name
    and place, and the same decision leads to steps that have the same number.
    """
    order = steps(use.body)
    at = {step: i for i, step in enumerate(order)}
    owners: dict[int | None, int] = {}
    for step in order:
        if isinstance(step, Owned | Branch):
            owners.setdefault(step.owner, len(owners))
    return use.cell, tuple(
        [
            (
                type(step),
                _facts(step, operations, owners),
                _ways(step),
                *[at[part] for part in below(step)],
            )
            for step in order
        ]
    )


def _ways(step: Step) -> tuple[int, ...]:
    """Where the outcomes of the steps inside a step lead, as numbers of its own or of the rest."""
    own = {key: i for i, key in enumerate(step.outcomes)}
    if isinstance(step, Then):
        if len(step.rest) == len(own) == 1:
            return ()
        rest = {key: i for i, key in enumerate(step.rest)}
        ends = [own[key] for part in step.rest.values() for key in part.outcomes]
        return *[rest[key] for key in step.first.outcomes], *ends
    if len(own) == 1:
        return ()
    if isinstance(step, Branch):
        return tuple([own[key] for part in step.options.values() for key in part.outcomes])
    if isinstance(step, Lift):
        return tuple([own[step.lifted(key)] for key in step.step.outcomes])
    if isinstance(step, UseCell):
        keys = step.keys  # none for what cannot come about
        return tuple([own[keys[key]] if key in keys else -1 for key in step.body.outcomes])
    return ()  # the outcomes are those of what is inside


def _facts(
    step: Step, operations: Mapping[str, Operation], owners: Mapping[int | None, int]
) -> Any:
    """What a step does itself, sizes left out; declarations by another number."""
    if isinstance(step, Emit):
        fact = operations.get(step.op)
        return step.op, fact is not None and fact.zero(step.settings), step.inputs, step.label
    if isinstance(step, Branch):
        # True is no 1, though Python has them equal.
        return (
            owners[step.owner],
            step.owner is None,
            step.name,
            tuple([(type(value), value) for value in step.options]),
        )
    if isinstance(step, Ret | Copy):
        return step.index
    if isinstance(step, On):
        return step.indices
    if isinstance(step, Scope):
        return step.segment
    if isinstance(step, Then):
        return step.keep
    if isinstance(step, UseCell):
        return step.cell
    if isinstance(step, Owned):
        return owners[step.owner]
    return None if isinstance(step, Lift) else step
