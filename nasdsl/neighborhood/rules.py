"""Elementary edits of decisions: each gives changed decisions, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nasdsl.neighborhood.sites import Site

Decisions = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """Any other value of the decisions called ``target`` (all of them where empty)."""

    target: str = ""

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        for site in sites:
            if self.target and not site.called(self.target):
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

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        for site in sites:
            if site.kind != "value" or not site.called(self.target):
                continue
            place = site.options.index(site.value)
            for move in (-1, 1) if self.by is None else (self.by,):
                if 0 <= place + move < len(site.options):
                    yield site, {**decisions, site.name: site.options[place + move]}


@dataclass(frozen=True)
class Flip:
    """A member of a ``some of`` added or dropped."""

    target: str

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        for site in sites:
            if site.kind != "some" or not site.called(self.target):
                continue
            everything = max(site.options, key=len)
            for member in everything:
                chosen = set(site.value) ^ {member}
                value = tuple(m for m in everything if m in chosen)
                yield site, follow(decisions, site, value)


@dataclass(frozen=True)
class Exchange:
    """One picked input exchanged for another that is not picked; operations stay with theirs."""

    scope: str = ""

    def apply(self, decisions: Decisions, sites: list[Site]) -> Iterator[tuple[Site, Decisions]]:
        """Each site with the decisions after the edit."""
        for site in sites:
            if site.kind != "pick" or (self.scope and not site.inside(self.scope)):
                continue
            members = list(dict.fromkeys(m for option in site.options for m in option))
            order = {m: i for i, m in enumerate(sorted(members))}
            for gone in site.value:
                for new in sorted(members):
                    if new in site.value:
                        continue
                    kept = [new if m == gone else m for m in site.value]
                    value = tuple(sorted(kept, key=order.__getitem__))
                    if value in site.options:
                        yield site, follow(decisions, site, value, {new: gone})


def follow(
    decisions: Decisions,
    site: Site,
    value: tuple[Any, ...],
    renamed: Mapping[Any, Any] | None = None,
) -> dict[str, Any]:
    """Decisions after a set changed, where what is decided for a member stays with it.

    ``renamed`` maps a new member to the one whose decisions it takes over.
    """
    parent = site.name.rpartition(".")[0]
    prefix = f"{parent}." if parent else ""
    if site.of != "inputs":
        return {**decisions, site.name: value}
    old = {m: i for i, m in enumerate(site.value)}
    out = dict(decisions)
    for i in range(max(len(site.value), len(value))):
        for name in list(out):
            if name == f"{prefix}{i}" or name.startswith(f"{prefix}{i}."):
                del out[name]
    out[site.name] = value
    for place, member in enumerate(value):
        source = old.get((renamed or {}).get(member, member))
        if source is None:
            continue
        start = f"{prefix}{source}"
        for name, decided in decisions.items():
            if name == start or name.startswith(start + "."):
                out[f"{prefix}{place}{name[len(start) :]}"] = decided
    return out
