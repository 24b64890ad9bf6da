"""What goes wrong in a space, and a shortest choice of values that makes it go wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nasdsl.diagnostics import Diagnostic, Note
from nasdsl.space.residual import (
    Branch,
    Copy,
    Fail,
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
)
from nasdsl.space.values import shown

Name = tuple[str, str, str]
"""A decision's path while it is read from the inside: first name, its copies, the rest."""
_LATE = "\0"
Assignment = tuple[tuple[Name, Any], ...]
Mistake = tuple[str, str, int, int]


def failures(root: Step) -> list[Diagnostic]:
    """Every mistake that some architecture runs into, each with a shortest assignment.

    A decision is part of an assignment only where some other value of it avoids the mistake.
    """
    search = _Search()
    found = search.mistakes(root)
    told = []
    for mistake, assignment in found.items():
        diagnostic = search.diagnostics[mistake]
        if assignment:
            written = ", ".join(f"{_name(n)} = {shown(v)}" for n, v in assignment)
            diagnostic = replace(
                diagnostic, notes=(*diagnostic.notes, Note(f"it happens with {written}"))
            )
        told.append(diagnostic)
    return told


def _name(name: Name) -> str:
    head, copies, tail = name
    return ".".join(p for p in (head + copies, tail) if p)


class _Search:
    def __init__(self) -> None:
        self.diagnostics: dict[Mistake, Diagnostic] = {}
        self._reach: dict[int, dict[Key, Assignment]] = {}
        self._mistakes: dict[int, dict[Mistake, Assignment]] = {}

    def reach(self, step: Step) -> dict[Key, Assignment]:
        """A shortest assignment for each outcome."""
        found = self._reach.get(id(step))
        if found is None:
            found = self._outcomes(step)
            self._reach[id(step)] = found
        return found

    def _outcomes(self, step: Step) -> dict[Key, Assignment]:
        if isinstance(step, Scope | Copy):
            return {k: _wrapped(step, a) for k, a in self.reach(step.step).items()}
        if isinstance(step, On):
            return self.reach(step.step)
        if isinstance(step, Lift):
            return {step.lifted(k): a for k, a in self.reach(step.step).items()}
        if isinstance(step, Owned):
            return {k: _home(step, a) for k, a in self.reach(step.step).items()}
        if isinstance(step, Branch):
            return _shortest(step, [self.reach(o) for o in step.options.values()])
        if isinstance(step, Then):
            found: dict[Key, Assignment] = {}
            for key, before in self.reach(step.first).items():
                for out, after in self.reach(step.rest[key]).items():
                    _keep(found, out, before + after)
            return found
        if isinstance(step, UseCell):
            inner = self.reach(step.body)
            return {step.keys[k]: _under(step.cell, a) for k, a in inner.items() if k in step.keys}
        return dict.fromkeys(step.outcomes, ())

    def mistakes(self, step: Step) -> dict[Mistake, Assignment]:
        """A shortest assignment for each mistake inside."""
        if not step.broken:
            return {}
        found = self._mistakes.get(id(step))
        if found is None:
            found = self._inside(step)
            self._mistakes[id(step)] = found
        return found

    def _inside(self, step: Step) -> dict[Mistake, Assignment]:
        if isinstance(step, Fail):
            d = step.diagnostic
            if not d.code or d.span is None:
                return {}
            mistake = (d.code, d.message, d.span.start, d.span.end)
            self.diagnostics.setdefault(mistake, d)
            return {mistake: ()}
        if isinstance(step, Scope | Copy):
            return {m: _wrapped(step, a) for m, a in self.mistakes(step.step).items()}
        if isinstance(step, On | Lift):
            return self.mistakes(step.step)
        if isinstance(step, Owned):
            return {m: _home(step, a) for m, a in self.mistakes(step.step).items()}
        if isinstance(step, UseCell):
            return {m: _under(step.cell, a) for m, a in self.mistakes(step.body).items()}
        if isinstance(step, Whole):
            return self.mistakes(step.body)
        if isinstance(step, Branch):
            return _shortest(step, [self.mistakes(o) for o in step.options.values()])
        found: dict[Mistake, Assignment] = {}
        if isinstance(step, Then):
            found.update(self.mistakes(step.first))
            for key, before in self.reach(step.first).items():
                for mistake, after in self.mistakes(step.rest[key]).items():
                    _keep(found, mistake, before + after)
        assert not isinstance(step, Joint)
        return found


def _shortest(branch: Branch, options: list[Any]) -> dict[Any, Assignment]:
    found: dict[Any, Assignment] = {}
    everywhere = set(options[0]).intersection(*options[1:])
    for value, option in zip(branch.options, options, strict=True):
        for thing, assignment in option.items():
            if thing in everywhere:
                _keep(found, thing, assignment)
            else:
                name: Name = (branch.name, "", "")
                if branch.owner is not None:
                    name = (f"{_LATE}{branch.owner}", "", branch.name)
                _keep(found, thing, ((name, value), *assignment))
    return found


def _keep(found: dict[Any, Assignment], thing: Any, assignment: Assignment) -> None:
    if thing not in found or len(assignment) < len(found[thing]):
        found[thing] = assignment


def _wrapped(step: Scope | Copy, assignment: Assignment) -> Assignment:
    out = []
    for (head, copies, tail), value in assignment:
        if head.startswith(_LATE):
            out.append(((head, copies, tail), value))
        elif isinstance(step, Copy):
            out.append(((head, f"[{step.index}]{copies}", tail), value))
        else:
            inside = _name((head, copies, tail))
            out.append(((step.segment, "", inside), value))
    return tuple(out)


def _home(step: Owned, assignment: Assignment) -> Assignment:
    """Late decisions of a declaration have come to where it stands."""
    mine = f"{_LATE}{step.owner}"
    return tuple(
        ((tail, "", "") if head == mine else (head, copies, tail), value)
        for (head, copies, tail), value in assignment
    )


def _under(cell: str, assignment: Assignment) -> Assignment:
    return tuple(((cell, "", _name(name)), value) for name, value in assignment)
