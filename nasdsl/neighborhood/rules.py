"""Elementary edits of decisions: each gives changed decisions, in a fixed order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nasdsl.neighborhood.sites import Site

Decisions = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """Any other value of the decisions called ``target`` (all of them where empty)."""

    target: str = ""
    within: str = ""

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        for site in sites:
            if self.target and not site.is_of(self.target, self.within):
                continue
            for value in site.options:
                if value != site.value:
                    yield site, {**decisions, site.name: value}


@dataclass(frozen=True)
class Relabel:
    """Alternatives replaced by others: ``a | b -> c``; labels may name their choice."""

    before: tuple[tuple[str | None, str], ...]
    after: tuple[tuple[str | None, str], ...]
    both: bool = False

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        directions = [(self.before, self.after)]
        if self.both:
            directions.append((self.after, self.before))
        for site in sites:
            if not isinstance(site.value, str):
                continue
            for before, after in directions:
                if not any(_is(site, c, label) for c, label in before):
                    continue
                for choice, label in after:
                    fits = choice is None or site.called(choice)
                    if fits and label in site.options and label != site.value:
                        yield site, {**decisions, site.name: label}


def _is(site: Site, choice: str | None, label: str) -> bool:
    return site.value == label and (choice is None or site.called(choice))


@dataclass(frozen=True)
class Step:
    """An ordered value moved along its values: to either neighbor, or by a number of places."""

    target: str
    by: int | None = None
    within: str = ""

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        for site in sites:
            if site.kind != "value" or not site.is_of(self.target, self.within):
                continue
            place = site.options.index(site.value)
            for move in (-1, 1) if self.by is None else (self.by,):
                if 0 <= place + move < len(site.options):
                    yield site, {**decisions, site.name: site.options[place + move]}


@dataclass(frozen=True)
class Flip:
    """A member of a ``some of`` added or dropped."""

    target: str
    within: str = ""

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        for site in sites:
            if site.kind != "some" or not site.is_of(self.target, self.within):
                continue
            everything = max(site.options, key=len)
            for member in everything:
                chosen = set(site.value) ^ {member}
                value = tuple(m for m in everything if m in chosen)
                yield site, follow(decisions, site, value)


@dataclass(frozen=True)
class Exchange:
    """One picked input exchanged for another that is not picked; operations stay with theirs."""

    within: str = ""

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        for site in sites:
            if site.kind != "pick" or (self.within and not site.inside(self.within)):
                continue
            members = list(dict.fromkeys(m for option in site.options for m in option))
            order = {m: i for i, m in enumerate(members)}
            for gone in site.value:
                for new in members:
                    if new in site.value:
                        continue
                    kept = [new if m == gone else m for m in site.value]
                    value = tuple(sorted(kept, key=order.__getitem__))
                    if value in site.options:
                        yield site, follow(decisions, site, value, {new: gone})


@dataclass(frozen=True)
class Resize:
    """A copy of a template inserted at any place of its chain, or removed from any.

    It changes the value that says how many copies there are; an inserted copy decides as the
    one before it (the first one as the one after it).
    """

    template: str
    insert: bool
    counters: frozenset[str]
    """What the values are called on which the number of copies depends."""

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site of the number of copies with the decisions after the edit."""
        for prefix, label, copies in self._chains(decisions):
            for site in sites:
                if site.kind != "value" or not isinstance(site.value, int):
                    continue
                if not any(site.called(name) for name in self.counters):
                    continue
                scope = site.name.rpartition(".")[0]
                if scope and not prefix.startswith(scope):
                    continue
                place = site.options.index(site.value) + (1 if self.insert else -1)
                if not 0 <= place < len(site.options):
                    continue
                if abs(site.options[place] - site.value) != 1:
                    continue
                for at in range(copies + 1 if self.insert else copies):
                    shifted = self._shifted(decisions, prefix, label, copies, at)
                    yield site, {**shifted, site.name: site.options[place]}

    def _chains(self, decisions: Decisions) -> list[tuple[str, str, int]]:
        found: dict[tuple[str, str], int] = {}
        for name in decisions:
            for match in _segments(name):
                prefix, label, index = match
                if re.sub(r"@\d+$", "", label) == self.template:
                    key = (prefix, label)
                    found[key] = max(found.get(key, 0), index + 1)
        return [(prefix, label, n) for (prefix, label), n in found.items()]

    def _shifted(
        self, decisions: Decisions, prefix: str, label: str, copies: int, at: int
    ) -> dict[str, Any]:
        head = f"{prefix}{label}["
        inner: dict[int, dict[str, Any]] = {i: {} for i in range(copies)}
        out: dict[str, Any] = {}
        for name, value in decisions.items():
            index, rest = _after(name, head)
            if index is None:
                out[name] = value
            else:
                inner[index][rest] = value
        order = [inner[i] for i in range(copies)]
        if self.insert:
            order.insert(at, order[max(at - 1, 0)])
        else:
            del order[at]
        for i, copy in enumerate(order):
            for rest, value in copy.items():
                out[f"{head}{i}]{rest}"] = value
        return out


def _segments(name: str) -> Iterator[tuple[str, str, int]]:
    """Every indexed segment of a path: (what stands before it, its name, its last index)."""
    start = 0
    for segment in name.split("."):
        match = re.fullmatch(r"([A-Za-z_]\w*(?:@\d+)?(?:\[\d+\])*?)\[(\d+)\]", segment)
        if match:
            yield name[:start], match.group(1), int(match.group(2))
        start += len(segment) + 1


def _after(name: str, head: str) -> tuple[int | None, str]:
    if not name.startswith(head):
        return None, ""
    index, bracket, rest = name[len(head) :].partition("]")
    if not bracket or not index.isdigit() or (rest and rest[0] != "."):
        return None, ""
    return int(index), rest


def follow(
    decisions: Decisions,
    site: Site,
    value: tuple[Any, ...],
    renamed: Mapping[Any, Any] | None = None,
) -> dict[str, Any]:
    """Decisions after a set changed, where what is decided for a member stays with it.

    ``renamed`` maps a new member to the one whose decisions it takes over.
    """
    if site.of != "inputs":
        return {**decisions, site.name: value}
    parent, dot, last = site.name.rpartition(".")
    # The items of 'inputs@2[0]' are '0@2[0]', '1@2[0]', …
    item = re.compile(
        rf"{re.escape(parent + dot)}(\d+){re.escape(last[len('inputs') :])}(?![^.\[])"
    )
    old = {m: i for i, m in enumerate(site.value)}
    now = {old.get((renamed or {}).get(m, m)): place for place, m in enumerate(value)}
    out: dict[str, Any] = {}
    for name, decided in decisions.items():
        found = item.match(name)
        if found is None:
            out[name] = decided
        elif int(found.group(1)) in now:
            out[f"{parent}{dot}{now[int(found.group(1))]}{name[found.end(1) :]}"] = decided
    out[site.name] = value
    return out
