"""What goes wrong in a space, and a shortest choice of values that makes it go wrong.

An assignment that is told is enough: whatever else is decided, an architecture with these
values runs into the mistake. Uses of one cell are decided together, so a mistake that would
need two uses to differ is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nasdsl.diagnostics import Diagnostic, Note
from nasdsl.space.late import LATE
from nasdsl.space.residual import (
    POISON,
    Branch,
    CellDecisions,
    Copy,
    Fail,
    Joint,
    Key,
    Known,
    Lift,
    On,
    Owned,
    Scope,
    Step,
    Then,
    UseCell,
    Whole,
    bottom_up,
)
from nasdsl.space.values import shown

Name = tuple[str, str, str]
"""A decision's path while it is read from the inside: first name, its copies, the rest."""
Assignment = tuple[tuple[Name, Any], ...]


@dataclass(frozen=True)
class Mistake:
    """A mistake, and what had been seen of the cells where it comes about.

    Either a ``diagnostic``, or the ``use`` of a cell (its name and signature) in whose body it
    lies. ``part`` counts the uses of a cell whose decisions are worked out together.
    """

    diagnostic: Diagnostic | None
    seen: Known = frozenset()
    use: tuple[str, Any] | None = None
    part: int | None = None


Found = dict[Mistake, Assignment]

_OWNED = "\x00"
"""Begins the name of a late decision until its declaration is reached."""
MOST = 100
"""So many mistakes are followed at one step; a text with more has been told enough."""


def failures(root: Step) -> list[Diagnostic]:
    """Every mistake that some architecture runs into, each with a shortest assignment.

    A decision is part of an assignment only where some other value of it avoids the mistake.
    Mistakes of one kind at one place are told once.
    """
    places: dict[tuple[Any, ...], list[tuple[Diagnostic, Assignment]]] = {}
    for mistake, assignment in _mistakes(root).items():
        d = mistake.diagnostic
        assert d is not None and d.span is not None
        places.setdefault((d.code, d.span.start, d.span.end), []).append((d, assignment))
    return [_told(found) for found in places.values()]


def _told(found: list[tuple[Diagnostic, Assignment]]) -> Diagnostic:
    diagnostic, assignment = min(found, key=lambda f: len(f[1]))
    notes = list(diagnostic.notes)
    if assignment:
        pairs = dict.fromkeys((_name(n), shown(v)) for n, v in assignment)
        notes.append(Note(f"it happens with {', '.join(f'{n} = {v}' for n, v in pairs)}"))
    more = len({d.message for d, _ in found}) - 1
    if more:
        ways = "another way" if more == 1 else f"{more} other ways"
        notes.append(Note(f"it goes wrong here in {ways} with other choices"))
    return replace(diagnostic, notes=tuple(notes))


def _name(name: Name) -> str:
    head, copies, tail = name
    return ".".join(p for p in (head + copies, tail) if p)


def _mistakes(root: Step) -> Found:
    """Mistakes from the top: decisions of the whole space first, then each whole network."""
    if not root.broken:
        return {}
    if isinstance(root, Fail):  # in what is decided for the whole space, before any network
        root = Whole(root, ())
    if isinstance(root, Whole):
        return _Search(root).whole()
    if isinstance(root, Branch):
        return _either(root, [_mistakes(o) for o in root.options.values()])
    assert isinstance(root, Scope | On | Copy | Owned | Lift)
    found = _mistakes(root.step)
    return {m: _passed(root, a) for m, a in found.items()}


class _Search:
    """The mistakes of one network with the cells that it uses."""

    def __init__(self, whole: Whole):
        self.root = whole
        self.cells = (*whole.first, *whole.last)
        self.reach: dict[int, dict[Key, Assignment]] = {}
        self.found: dict[int, Found] = {}
        for top in (whole.body, *(c.joint for c in self.cells)):
            for step in bottom_up(top, _below):
                if id(step) not in self.reach:
                    self.reach[id(step)] = self._outcomes(step)
                    self.found[id(step)] = self._inside(step)

    def whole(self) -> Found:
        """Mistakes that tied decisions allow, each with a shortest assignment."""
        best: Found = {}
        covered: dict[tuple[Diagnostic, Assignment], list[Mistake]] = {}
        for mistake, assignment in self._everywhere().items():
            assert mistake.diagnostic is not None
            settled = self._settled(mistake.seen, assignment)
            if settled is not None:
                _keep(best, Mistake(mistake.diagnostic), settled)
                covered.setdefault((mistake.diagnostic, assignment), []).append(mistake)
        for (diagnostic, assignment), group in covered.items():
            if self._whatever(group):
                _keep(best, Mistake(diagnostic), assignment)
        return best

    def _everywhere(self) -> Found:
        """Mistakes in the body and in the bodies of the cells that it uses."""
        everywhere: Found = {}
        entered: set[Any] = set()
        todo = list(self.found[id(self.root.body)].items())
        for mistake, assignment in todo:
            if mistake.use is None:
                _keep(everywhere, mistake, assignment)
                continue
            if mistake in entered:
                continue
            entered.add(mistake)
            name, signature = mistake.use
            for cell in self._deciding(name, {signature}):
                part = cell.signatures.index(signature)
                for inner, way in self.found[id(cell.joint)].items():
                    if inner.part == part:
                        seen = mistake.seen | inner.seen
                        found = replace(inner, seen=seen, part=mistake.part)
                        todo.append((found, assignment + _under(cell.name, way)))
        return everywhere

    def _deciding(self, name: str, signatures: Collection[Any]) -> list[CellDecisions]:
        """The decisions that a cell may have in architectures that use it so.

        An architecture that goes wrong is not followed to its end, so those that are tell how
        a cell is used; what only goes wrong is asked where nothing else is there.
        """
        cells = [
            c for c in self.cells if c.name == name and all(s in c.signatures for s in signatures)
        ]
        ends = [key for key in self.root.body.outcomes if key[0] != POISON]
        whole = [c for c in cells if any(c.applies(key[1]) for key in ends)]
        return whole or cells

    def _settled(self, seen: Known, assignment: Assignment) -> Assignment | None:
        """An assignment with that of the cells that were seen; none if they exclude it."""
        for name in sorted({o[0] for o in seen}):
            cells = self._deciding(name, {o[1] for o in seen if o[0] == name})
            ways = [a for cell in cells for _, a in self._agreeing(cell, seen)]
            if cells and not ways:
                return None
            if cells:
                assignment += _under(name, min(ways, key=len))
        return assignment

    def _agreeing(self, cell: CellDecisions, seen: Known) -> Iterable[tuple[Key, Assignment]]:
        reach = self.reach[id(cell.joint)]
        return [(key, a) for key, a in reach.items() if cell.agrees(key, seen)]

    def _whatever(self, group: list[Mistake]) -> bool:
        """Whether a mistake comes about however the one cell that was seen is decided."""
        names = {o[0] for mistake in group for o in mistake.seen}
        cells = [c for c in self.cells if c.name in names]
        if len(cells) != 1:
            return False
        keys = {k for mistake in group for k, _ in self._agreeing(cells[0], mistake.seen)}
        return len(keys) == len(cells[0].joint.outcomes)

    # ---- steps

    def _outcomes(self, step: Step) -> dict[Key, Assignment]:
        """A shortest assignment that is enough for each outcome; cells are left open."""
        if isinstance(step, Scope | Copy | On | Owned):
            below = self.reach[id(step.step)]
            return {key: _passed(step, a) for key, a in below.items()}
        if isinstance(step, Lift):
            return {step.lifted(k): a for k, a in self.reach[id(step.step)].items()}
        if isinstance(step, Branch):
            return _either(step, [self.reach[id(o)] for o in step.options.values()])
        if isinstance(step, Then):
            return self._after(step, self.reach)
        return dict.fromkeys(step.outcomes, ())

    def _inside(self, step: Step) -> Found:
        """Mistakes inside a step, each with a shortest assignment that is enough."""
        if isinstance(step, Fail):
            d = step.diagnostic
            if not d.code or d.span is None:
                return {}
            (known,) = [k[1] for k in step.outcomes]
            return {Mistake(d, frozenset(o for o in known if o[0] != LATE)): ()}
        if not step.broken:
            return {}
        if isinstance(step, UseCell):
            return {Mistake(None, use=(step.cell, step.signature)): ()}
        if isinstance(step, Scope | Copy | On | Owned | Lift):
            found = self.found[id(step.step)]
            return {m: _passed(step, a) for m, a in found.items()}
        if isinstance(step, Branch):
            return _either(step, [self.found[id(o)] for o in step.options.values()])
        if isinstance(step, Joint):
            return {
                replace(m, part=at): ()
                for at, part in enumerate(step.parts)
                for m in self.found[id(part)]
            }
        if isinstance(step, Then):
            after = self._after(step, self.found)
            for mistake, assignment in self.found[id(step.first)].items():
                _keep(after, mistake, assignment)
            return after
        return {}

    def _after(self, step: Then, table: Mapping[int, Mapping[Any, Assignment]]) -> dict[Any, Any]:
        """What may come of the second of two steps, with what leads there."""
        found: dict[Any, Assignment] = {}
        rests = [table[id(step.rest[key])] for key in step.first.outcomes]
        always = _agreed(rests)
        for key, before in self.reach[id(step.first)].items():
            for thing, after in table[id(step.rest[key])].items():
                if thing in always:
                    _keep(found, thing, after)
                elif len(found) < MOST or thing in found:
                    _keep(found, thing, before + after)
        return found


def _below(step: Step) -> Iterable[Step]:
    """The steps inside one; a cell's are looked at where all its uses are together."""
    if isinstance(step, Then):
        return [step.first, *step.rest.values()]
    if isinstance(step, Branch):
        return step.options.values()
    if isinstance(step, On | Scope | Copy | Owned | Lift):
        return [step.step]
    if isinstance(step, Joint):
        return step.parts
    assert not isinstance(step, Whole)
    return []


def _agreed(options: list[Mapping[Any, Assignment]]) -> set[Any]:
    """What comes of every option, by the same assignment."""
    first, *others = options
    return {
        thing
        for thing, assignment in first.items()
        if all(o.get(thing) == assignment for o in others)
    }


def _either(branch: Branch, options: list[Any]) -> dict[Any, Assignment]:
    """What may come of a decision, with the value that leads there where it matters."""
    found: dict[Any, Assignment] = {}
    always = _agreed(options)
    name: Name = (branch.name, "", "")
    if branch.owner is not None:
        name = (f"{_OWNED}{branch.owner}", "", branch.name)
    for value, option in zip(branch.options, options, strict=True):
        for thing, assignment in option.items():
            if thing in always:
                _keep(found, thing, assignment)
            elif len(found) < MOST or thing in found:
                _keep(found, thing, ((name, value), *assignment))
    return found


def _keep(found: dict[Any, Assignment], thing: Any, assignment: Assignment) -> None:
    if thing not in found or len(assignment) < len(found[thing]):
        found[thing] = assignment


def _passed(step: Step, assignment: Assignment) -> Assignment:
    """An assignment seen from outside a step that adds to the path."""
    if isinstance(step, Owned):
        mine = f"{_OWNED}{step.owner}"
        return tuple(
            ((tail, "", "") if head == mine else (head, copies, tail), value)
            for (head, copies, tail), value in assignment
        )
    if not isinstance(step, Scope | Copy):
        return assignment
    out = []
    for (head, copies, tail), value in assignment:
        if head.startswith(_OWNED):
            out.append(((head, copies, tail), value))
        elif isinstance(step, Copy):
            out.append(((head, f"[{step.index}]{copies}", tail), value))
        else:
            out.append(((step.segment, "", _name((head, copies, tail))), value))
    return tuple(out)


def _under(cell: str, assignment: Assignment) -> Assignment:
    return tuple(((cell, "", _name(name)), value) for name, value in assignment)
