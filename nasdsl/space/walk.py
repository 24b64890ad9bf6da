"""Carrying out the steps of a space for one architecture."""

from __future__ import annotations

from typing import Any, Protocol

from nasdsl.space.residual import (
    DONE,
    Branch,
    Copy,
    Emit,
    Fail,
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


class Emitter(Protocol):
    """Receives the operations of one architecture, in order."""

    paths: dict[int, str]
    """Where the declarations with late decisions stand; kept by :func:`run`."""

    def emit(self, step: Emit, operands: tuple[str, ...], name: str) -> str:
        """Take one operation; returns the handle of its result."""

    def decide(self, name: str, branch: Branch) -> Any:
        """The value of a decision."""

    def saw(self, cell: str, signature: Any, outcome: Key) -> None:
        """Learn how a cell came out at one of its uses."""

    def recall(self, step: UseCell, frame: tuple[str, ...], place: str) -> tuple[Key, str] | None:
        """Carry out a use of a cell from memory, or say that it has to be walked."""


def join(path: str, name: str) -> str:
    """A path with a name added."""
    if not path:
        return name
    return f"{path}.{name}" if name else path


def named(branch: Branch, paths: dict[int, str], path: str, pending: str) -> str:
    """The name of a decision at a path, with the indices of copies still to be attached."""
    if branch.owner is not None:
        return join(paths[branch.owner], branch.name)
    return join(path, branch.name + pending) if branch.name else path + pending


def run(
    step: Step,
    frame: tuple[str, ...],
    emitter: Emitter,
    place: str = "",
    path: str = "",
    pending: str = "",
) -> tuple[Key, str]:
    """Carry out a step; returns its outcome and the handle of its tensor.

    ``place`` is where in the network we are, ``path`` the path of decisions (they part inside
    cells), ``pending`` the indices of copies not yet attached to a name.
    """
    while True:
        if isinstance(step, Emit):
            operands = tuple([frame[i] for i in step.inputs])
            name = join(place, step.label + pending)
            return step.key, emitter.emit(step, operands, name)
        if isinstance(step, Then):
            key, handle = run(step.first, frame, emitter, place, path, pending)
            frame = (*frame, handle) if step.keep else (handle,)
            step = step.rest[key]
        elif isinstance(step, Scope):
            place = join(place, step.segment + pending)
            path = join(path, step.segment + pending)
            pending = ""
            step = step.step
        elif isinstance(step, On):
            frame = tuple([frame[i] for i in step.indices])
            step = step.step
        elif isinstance(step, Branch):
            name = named(step, emitter.paths, path, pending)
            step = step.options[emitter.decide(name, step)]
        elif isinstance(step, Copy):
            pending += f"[{step.index}]"
            step = step.step
        elif isinstance(step, Ret):
            return step.key, frame[step.index]
        elif isinstance(step, Lift):
            key, handle = run(step.step, frame, emitter, place, path, pending)
            return step.lifted(key), handle
        elif isinstance(step, Owned):
            outer = emitter.paths.get(step.owner, "")
            emitter.paths[step.owner] = path
            found = run(step.step, frame, emitter, place, path, pending)
            emitter.paths[step.owner] = outer
            return found
        elif isinstance(step, UseCell):
            inner, handle = emitter.recall(step, frame, place) or run(
                step.body, frame, emitter, place, step.cell, ""
            )
            emitter.saw(step.cell, step.signature, inner)
            return step.keys[inner], handle
        elif isinstance(step, Whole):
            _, handle = run(step.body, frame, emitter, place, path, pending)
            return DONE, handle
        else:
            assert isinstance(step, Fail)
            raise RuntimeError(f"a broken space was built: {step.diagnostic.message}")
