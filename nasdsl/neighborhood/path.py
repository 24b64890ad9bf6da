"""Shortest ways from one architecture to another by the edits of their space."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

from nasdsl.diagnostics import problem
from nasdsl.neighborhood.complete import filled
from nasdsl.neighborhood.components import Component, Distances, Entangled, components
from nasdsl.neighborhood.neighborhood import Neighbor, Neighborhood
from nasdsl.neighborhood.reading import EditRule
from nasdsl.neighborhood.rewrite import Rewrite
from nasdsl.neighborhood.sites import sites
from nasdsl.space.architecture import Architecture
from nasdsl.space.shortfall import Conditions

EXPANDED = 20_000
"""How many architectures are looked at before the search gives up."""
WOVEN = 2_000
"""How many orders of edits are tried where conditions refuse some."""

P = TypeVar("P", bound=Hashable)
E = TypeVar("E")
Part = frozenset[tuple[str, Any]]
Move = tuple[EditRule, str, Architecture]
"""An edit, its place, and what it makes."""


def shortest_path(
    neighborhood: Neighborhood, start: Architecture, end: Architecture
) -> list[Neighbor] | None:
    """The edits of a shortest path, or none where no path exists.

    Decisions that edits change apart from each other are led to their ends apart, each by an A*
    search, and the ways are woven into one that meets every condition. Where that cannot be, all
    are searched together. Raises :class:`~nasdsl.diagnostics.DiagnosticError` where it gives up.
    """
    try:
        parts, declared = components(neighborhood)
    except Entangled:
        return _searched(neighborhood, start, end, lambda architecture: 0)
    distances = Distances(neighborhood.rules, declared, end.decisions)
    try:
        ways = []
        for part in parts:
            if part.of(start.decisions) != part.of(end.decisions):
                way = _way(neighborhood, start, end, part, distances)
                if way is None:
                    return None  # conditions only take away edits
                ways.append((part, way))
        woven = _woven(neighborhood, start, ways)
    except Entangled:
        woven = None
    if woven is not None:
        return woven

    def estimate(architecture: Architecture) -> int:
        return sum(distances.bound(part, architecture.decisions) for part in parts)

    return _searched(neighborhood, start, end, estimate)


# ---- one component


def _moves(neighborhood: Neighborhood, at: Architecture, part: Component) -> Iterator[Move]:
    """What edits of one component make of an architecture, whatever the conditions say.

    Ranks are not worked out, and decisions are in any order.
    """
    here = [site for site in sites(at) if site.name in part.names]
    for edit in neighborhood.rules:
        rule = edit.rules[0]
        if isinstance(rule, Rewrite):
            continue
        for site, changed in rule.apply(at.decisions, here):
            if edit.here(site):
                decided = filled(neighborhood.space, changed)
                yield edit, site.name, Architecture(neighborhood.space, decided)


def _way(
    neighborhood: Neighborhood,
    start: Architecture,
    end: Architecture,
    part: Component,
    distances: Distances,
) -> list[Part] | None:
    """What a component decides along a shortest way to its end, or none where there is no way."""
    others = _others(start, part)
    known = {part.of(start.decisions): start}

    def following(here: Part) -> Iterator[tuple[Part, None]]:
        for _, _, made in _moves(neighborhood, known[here], part):
            if _others(made, part) != others:
                raise Entangled
            there = part.of(made.decisions)
            known.setdefault(there, made)
            yield there, None

    def bound(here: Part) -> int:
        return distances.bound(part, known[here].decisions)

    found = _shortest(part.of(start.decisions), part.of(end.decisions), following, bound, start)
    return None if found is None else [there for there, _ in found]


def _shortest(
    first: P,
    goal: P,
    following: Callable[[P], Iterator[tuple[P, E]]],
    bound: Callable[[P], int],
    start: Architecture,
) -> list[tuple[P, E | None]] | None:
    """A shortest way by an A* search: the points, the first one too, each with what led there.

    The bound never says too much. Raises :class:`~nasdsl.diagnostics.DiagnosticError`, which
    names the start, where too many points would have to be looked at.
    """
    steps = {first: 0}
    came: dict[P, tuple[P, E]] = {}
    # Of those with one bound the farthest from the start first, then the one found first.
    queue: list[tuple[int, int, int, P]] = [(bound(first), 0, 0, first)]
    looked_at = 0
    while queue:
        _, negative, _, here = heapq.heappop(queue)
        if here == goal:
            return _back(first, came, here)
        if -negative > steps[here]:
            continue  # a shorter way here was found since; bounds need not grow along a way
        looked_at += 1
        if looked_at > EXPANDED:
            raise problem(
                "NAS347",
                f"no path was found among the {EXPANDED:,} architectures nearest to "
                f"#{start.rank}; there may be a longer one",
            )
        ahead = steps[here] + 1
        for there, by in following(here):
            if steps.get(there, ahead + 1) > ahead:
                steps[there], came[there] = ahead, (here, by)
                heapq.heappush(queue, (ahead + bound(there), -ahead, len(steps), there))
    return None


def _back(first: P, came: Mapping[P, tuple[P, E]], last: P) -> list[tuple[P, E | None]]:
    """The trail that leads to the last of several points."""
    trail: list[tuple[P, E | None]] = []
    while last in came:
        before, by = came[last]
        trail.append((last, by))
        last = before
    return [(first, None), *reversed(trail)]


def _others(architecture: Architecture, part: Component) -> Part:
    return frozenset((n, v) for n, v in architecture.decisions.items() if n not in part.names)


# ---- all components


def _woven(
    neighborhood: Neighborhood, start: Architecture, ways: list[tuple[Component, list[Part]]]
) -> list[Neighbor] | None:
    """The ways of the components as one of neighbors, or none where no order of them was found.

    Depth first. Where there are conditions, rather to what is farther within them, so that what
    makes room comes before what takes it.
    """
    conditions = Conditions(neighborhood.space, neighborhood.space.program.requires)
    trail: list[Neighbor] = []
    at = (0,) * len(ways)
    seen = {at}
    open_ = [(at, start, _continued(neighborhood, conditions, start, at, ways))]
    while open_:
        at, here, following = open_[-1]
        if all(place == len(way) - 1 for place, (_, way) in zip(at, ways, strict=True)):
            return trail
        step = next((step for step in following if step[0] not in seen), None)
        if step is None or len(seen) > WOVEN:
            if step is not None:
                return None
            open_.pop()
            if trail:
                trail.pop()
            continue
        to, (edit, place, found) = step
        made = neighborhood.space.assembled(dict(found.decisions))
        trail.append(Neighbor(edit.name, made, here, place, edit.weight))
        seen.add(to)
        open_.append((to, made, _continued(neighborhood, conditions, made, to, ways)))
    return None


def _continued(
    neighborhood: Neighborhood,
    conditions: Conditions,
    here: Architecture,
    at: tuple[int, ...],
    ways: list[tuple[Component, list[Part]]],
) -> list[tuple[tuple[int, ...], Move]]:
    """The next step of each way that the conditions allow."""
    found = []
    for i, (part, way) in enumerate(ways):
        if at[i] == len(way) - 1:
            continue
        wanted = way[at[i] + 1]
        for edit, place, made in _moves(neighborhood, here, part):
            if part.of(made.decisions) == wanted and not neighborhood.refused(edit, made):
                found.append(((*at[:i], at[i] + 1, *at[i + 1 :]), (edit, place, made)))
                break
        if found and not conditions.texts and all(e.where is None for e in neighborhood.rules):
            return found  # any order will do
    if conditions.texts and len(found) > 1:
        found.sort(key=lambda step: conditions.strain(step[1][2]))
    return found


# ---- everything at once


def _searched(
    neighborhood: Neighborhood,
    start: Architecture,
    end: Architecture,
    estimate: Callable[[Architecture], int],
) -> list[Neighbor] | None:
    """A shortest path by one A* search; the estimate never says too much."""
    known = {start.rank: start}

    def following(rank: int) -> Iterator[tuple[int, Neighbor]]:
        for neighbor in neighborhood.of(known[rank], 1):
            if neighbor.architecture is not None:
                made = neighbor.architecture
                known.setdefault(made.rank, made)
                yield made.rank, neighbor

    found = _shortest(start.rank, end.rank, following, lambda rank: estimate(known[rank]), start)
    return None if found is None else [neighbor for _, neighbor in found if neighbor is not None]
