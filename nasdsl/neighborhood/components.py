"""Which decisions edits change together, and how far apart their values are at the least.

Decisions fall into groups: what an edit of one group does, and whether it can be made, depends on
that group alone, ``require`` and ``where`` aside. So a shortest way of edits is one of each group,
woven into each other.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasdsl.neighborhood.neighborhood import Neighborhood
from nasdsl.neighborhood.reading import EditRule
from nasdsl.neighborhood.rewrite import Rewrite
from nasdsl.neighborhood.rules import Exchange, Flip, Resize
from nasdsl.neighborhood.sites import Site
from nasdsl.space.residual import Branch, Copy, Lift, On, Owned, Scope, Step, Then, UseCell, Whole
from nasdsl.space.space import Space
from nasdsl.space.walk import join, named

VISITED = 50_000
"""Spaces in which decisions stand at more places are not taken apart."""
VALUES = 5_000
"""Of decisions with more values it is not worked out how far apart they are."""

Decisions = Mapping[str, Any]

_COPY = re.compile(r"\[[1-9]\d*\]")
"""A copy that comes alive may decide as the one before it."""


class Entangled(Exception):
    """The decisions of a space are not taken apart."""


@dataclass(frozen=True)
class Declared:
    """A decision of a space: what the text calls it, and the values it has wherever it is."""

    of: str
    kind: str
    options: tuple[Any, ...] | None
    """None where they are not the same everywhere."""


@dataclass(frozen=True)
class Component:
    """Decisions that are changed together.

    Attributes:
        names: all of them.
        roots: those that every architecture has and whose edits change one value at a time.
        below: by decision, others that are there under some of its values only.
        alive: of these the values under which they are there.
    """

    names: frozenset[str]
    roots: tuple[str, ...]
    below: Mapping[str, tuple[str, ...]]
    alive: Mapping[str, frozenset[Any]]

    def of(self, decisions: Decisions) -> frozenset[tuple[str, Any]]:
        """The part of an architecture's decisions that is of this component."""
        return frozenset((n, v) for n, v in decisions.items() if n in self.names)


def components(neighborhood: Neighborhood) -> tuple[list[Component], Mapping[str, Declared]]:
    """The groups of a space's decisions, and every decision by its name.

    Raises :class:`Entangled` where the space is not taken apart.
    """
    if any(len(edit.rules) > 1 for edit in neighborhood.rules):
        raise Entangled  # one edit changes decisions of several groups
    found = _Gatherer(neighborhood.space)
    rules = [edit.rules[0] for edit in neighborhood.rules]
    moved: set[str] = set()
    if any(isinstance(rule, Exchange | Flip) for rule in rules):
        moved |= found.join_items()
    for rule in rules:
        if isinstance(rule, Resize):
            moved |= found.join_copies(rule)
    return found.components(moved), found.declared


class _Gatherer:
    """Walks all steps of a space and notes which decisions depend on which."""

    def __init__(self, space: Space):
        self.declared: dict[str, Declared] = {}
        self._group: dict[str, str] = {}
        self._alive: dict[str, dict[str, frozenset[Any]]] = {}
        self._tangled: set[str] = set()
        self._paths: dict[int, str] = {}
        self._known: dict[Any, dict[str, Any]] = {}
        if space.flat is not None:
            for digit in space.flat.digits:
                self.declared[digit.name] = Declared(digit.of, digit.kind, digit.options)
        else:
            try:
                self._names(space.step, "", "")
            except RecursionError:
                raise Entangled from None
        for name in list(self._alive):
            self._join_sources(name)

    # ---- groups

    def _root(self, name: str) -> str:
        while (above := self._group.get(name, name)) != name:
            name = above
        return name

    def _join(self, names: Iterable[str]) -> None:
        roots = {self._root(name) for name in names}
        first = min(roots, default="")
        for root in roots:
            self._group[root] = first

    def join_items(self) -> set[str]:
        """Joins picked inputs with what is decided for each; gives the latter."""
        moved = set()
        for name, declared in self.declared.items():
            if declared.of == "inputs" and declared.kind in ("pick", "some"):
                parent, dot, last = name.rpartition(".")
                tail = re.escape(last[len("inputs") :])
                item = re.compile(rf"{re.escape(parent + dot)}\d+{tail}(?![^.\[])")
                items = {n for n in self.declared if item.match(n)}
                self._join({name, *items})
                moved |= items
        return moved

    def join_copies(self, rule: Resize) -> set[str]:
        """Joins the copies of a template with what says how many there are."""
        label = re.compile(rf"(^|\.){re.escape(rule.template)}(@\d+)?[\[.]")
        moved = {n for n in self.declared if label.search(n)}
        counters = {
            name
            for name, declared in self.declared.items()
            if any(Site(name, declared.of, "", None, ()).called(c) for c in rule.counters)
        }
        self._join(moved | counters)
        return moved | counters

    def _join_sources(self, name: str) -> None:
        """A copy that comes alive decides as the one before it, so these belong together."""
        for match in re.finditer(r"\[(\d+)\]", name):
            if match.group(1) != "0":
                before = f"{name[: match.start()]}[{int(match.group(1)) - 1}]{name[match.end() :]}"
                if before in self.declared:
                    self._join({name, before})

    def components(self, moved: set[str]) -> list[Component]:
        """The groups; of ``moved`` decisions edits change more than the value."""
        members: dict[str, set[str]] = {}
        for name in self.declared:
            members.setdefault(self._root(name), set()).add(name)
        return [self._component(names, moved) for names in members.values()]

    def _component(self, names: set[str], moved: set[str]) -> Component:
        above: dict[str, str | None] = {}
        for name in sorted(names, key=lambda n: len(self._alive.get(n, ()))):
            if name in moved or name in self._tangled or self.declared[name].options is None:
                continue
            lives = self._alive.get(name, {})
            if not lives:
                above[name] = None
                continue
            parent = max(lives, key=lambda n: len(self._alive.get(n, ())))
            # It is there where the decision above it is, and has one of some values.
            if parent in above and lives == {**self._alive.get(parent, {}), parent: lives[parent]}:
                above[name] = parent
        below: dict[str, list[str]] = {}
        for name, parent_ in above.items():
            if parent_ is not None:
                below.setdefault(parent_, []).append(name)
        alive = {n: self._alive[n][p] for n, p in above.items() if p is not None}
        return Component(
            frozenset(names),
            tuple([n for n, p in above.items() if p is None]),
            {n: _nested(inner, alive) for n, inner in below.items()},
            alive,
        )

    # ---- the walk

    def _names(self, step: Step, path: str, pending: str) -> dict[str, Any]:
        """The decisions of a step and the values of each, none where they are not one set."""
        if not step.decides and not isinstance(step, UseCell | Then | On | Scope | Copy | Lift):
            return {}
        late = tuple(sorted((owner, self._paths.get(owner)) for owner, _ in step.late))
        key = (id(step), path, pending, late)
        if key not in self._known:
            if len(self._known) > VISITED:
                raise Entangled
            self._known[key] = self._found(step, path, pending)
        return self._known[key]

    def _found(self, step: Step, path: str, pending: str) -> dict[str, Any]:
        if isinstance(step, Then):
            first = self._names(step.first, path, pending)
            rests = {id(rest): rest for rest in step.rest.values()}
            ends = [self._names(rest, path, pending) for rest in rests.values()]
            after, varying = _either(ends)
            if varying:
                self._tangled |= varying
                self._join({*first, *varying})
            return _both(first, after)
        if isinstance(step, Branch):
            name = named(step, self._paths, path, pending)
            self._declare(name, step)
            inside = {v: self._names(option, path, pending) for v, option in step.options.items()}
            merged, varying = _either(list(inside.values()))
            self._join({name, *varying})
            for other in varying:
                lives = frozenset(v for v, names in inside.items() if other in names)
                known = self._alive.setdefault(other, {})
                if known.setdefault(name, lives) != lives or len(lives) == len(inside):
                    self._tangled.add(other)
            return _both({name: tuple(step.options)}, merged)
        if isinstance(step, Scope):
            return self._names(step.step, join(path, step.segment + pending), "")
        if isinstance(step, Copy):
            return self._names(step.step, path, f"{pending}[{step.index}]")
        if isinstance(step, Owned):
            outer = self._paths.get(step.owner, "")
            self._paths[step.owner] = path
            found = self._names(step.step, path, pending)
            self._paths[step.owner] = outer
            return found
        if isinstance(step, On | Lift):
            return self._names(step.step, path, pending)
        if isinstance(step, UseCell):
            return self._names(step.body, step.cell, "")
        return self._names(step.body, path, pending) if isinstance(step, Whole) else {}

    def _declare(self, name: str, branch: Branch) -> None:
        options: tuple[Any, ...] | None = tuple(branch.options)
        known = self.declared.get(name)
        if known is not None and known.options != options:
            options = None
        self.declared[name] = Declared(branch.of, branch.kind, options)


def _either(ways: list[dict[str, Any]]) -> tuple[dict[str, Any], set[str]]:
    """The decisions of any of several ways, and those that are not the same in all."""
    merged: dict[str, Any] = {}
    varying: set[str] = set()
    for names in ways:
        for name, options in names.items():
            if merged.setdefault(name, options) != options:
                merged[name] = None
                varying.add(name)
    if len(ways) > 1:
        varying |= {name for name in merged if not all(name in names for names in ways)}
    return merged, varying


def _both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The decisions of two steps."""
    shared = {name for name in first.keys() & second.keys() if first[name] != second[name]}
    return {**first, **second, **dict.fromkeys(shared)}


def _nested(names: list[str], alive: Mapping[str, frozenset[Any]]) -> tuple[str, ...]:
    """Decisions below another one: those there under one value, and the rest if it is nested."""
    several = sorted([alive[n] for n in names if len(alive[n]) > 1], key=len)
    if all(a <= b for a, b in itertools.pairwise(several)):
        return tuple(names)
    return tuple([n for n in names if len(alive[n]) == 1])


# ---- distances


class Distances:
    """How many edits at the least lead to an architecture, component by component."""

    def __init__(self, edits: Sequence[EditRule], declared: Mapping[str, Declared], end: Decisions):
        self._edits = edits
        self._declared = declared
        self._end = end
        self._to: dict[tuple[str, Any], Mapping[Any, int]] = {}
        self._born: dict[str, int] = {}

    def bound(self, component: Component, decisions: Decisions) -> int:
        """A lower bound of the edits from decisions to the end, in one component."""
        return sum(self._cost(component, name, decisions) for name in component.roots)

    def _cost(self, component: Component, name: str, now: Decisions | None) -> int:
        """A lower bound for a decision and all below it, as they are now or when they come alive."""
        if now is None:
            if name not in self._born:
                self._born[name] = self._found(component, name, None)
            return self._born[name]
        return self._found(component, name, now)

    def _found(self, component: Component, name: str, now: Decisions | None) -> int:
        options = self._declared[name].options or ()
        start, goal = options[0] if now is None else now[name], self._end[name]
        inner = [n for n in component.below.get(name, ()) if goal in component.alive[n]]
        if not inner:
            return self._distance(name, start, goal)
        # What is there under every value on the way is changed by its own edits. What is there
        # under the last one alone comes alive with its first value; of the rest nothing is known.
        best: int | None = None
        for value in options:
            over = self._distance(name, start, value) + self._distance(name, value, goal)
            for other in inner:
                alive = component.alive[other]
                if start in alive and value in alive:
                    over += self._cost(component, other, now)
                elif len(alive) == 1 and not _COPY.search(other):
                    over += self._cost(component, other, None)
                if best is not None and over >= best:
                    break
            else:
                best = over
        return best or 0

    def _distance(self, name: str, value: Any, goal: Any) -> int:
        """Edits from one value of a decision to another; 0 where that is not known."""
        if value == goal:
            return 0
        if (name, goal) not in self._to:
            self._to[name, goal] = self._distances(name, goal)
        return self._to[name, goal].get(value, 0)

    def _distances(self, name: str, goal: Any) -> dict[Any, int]:
        declared = self._declared[name]
        options = declared.options or ()
        if len(options) > VALUES:
            return {}
        before: dict[Any, list[Any]] = {}
        for value in options:
            for after in _moved(
                self._edits, Site(name, declared.of, declared.kind, value, options)
            ):
                before.setdefault(after, []).append(value)
        found = {goal: 0}
        queue = deque([goal])
        while queue:
            at = queue.popleft()
            for value in before.get(at, ()):
                if value not in found:
                    found[value] = found[at] + 1
                    queue.append(value)
        return found


def _moved(edits: Iterable[EditRule], site: Site) -> Iterable[Any]:
    """The values that edits give a decision, whatever else they change."""
    for edit in edits:
        rule = edit.rules[0]
        if isinstance(rule, Rewrite | Resize) or not edit.here(site):
            continue
        for _, changed in rule.apply({site.name: site.value}, [site]):
            yield changed[site.name]
