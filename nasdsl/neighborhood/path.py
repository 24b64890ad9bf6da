"""Shortest ways from one architecture to another by the edits of their space."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nasdsl.diagnostics import DiagnosticError, problem
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
    goal = part.of(end.decisions)
    first = part.of(start.decisions)
    others = _others(start, part)
    steps = {first: 0}
    came: dict[Part, Part] = {}
    known = {first: start}
    # Of those with one bound the farthest from the start first, then the one found first.
    queue = [(distances.bound(part, start.decisions), 0, 0, first)]
    done: set[Part] = set()
    while queue:
        here = heapq.heappop(queue)[-1]
        if here == goal:
            return _back(came, here)
        if here in done:
            continue
        done.add(here)
        if len(done) > EXPANDED:
            raise _given_up(start)
        there = steps[here] + 1
        for _, _, made in _moves(neighborhood, known[here], part):
            found = part.of(made.decisions)
            if found in steps and steps[found] <= there:
                continue
            if _others(made, part) != others:
                raise Entangled
            steps[found], came[found], known[found] = there, here, made
            bound = there + distances.bound(part, made.decisions)
            heapq.heappush(queue, (bound, -there, len(steps), found))
    return None


def _back(came: Mapping[Any, Any], last: Any) -> list[Any]:
    """The trail that leads to the last of several, the first one included."""
    trail = [last]
    while trail[-1] in came:
        trail.append(came[trail[-1]])
    return trail[::-1]


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
    steps = {start.rank: 0}
    came: dict[int, int] = {}
    by: dict[int, Neighbor] = {}
    known = {start.rank: start}
    queue = [(estimate(start), 0, start.rank)]
    done: set[int] = set()
    while queue:
        _, _, rank = heapq.heappop(queue)
        if rank == end.rank:
            return [by[at] for at in _back(came, rank)[1:]]
        if rank in done:
            continue
        done.add(rank)
        if len(done) > EXPANDED:
            raise _given_up(start)
        there = steps[rank] + 1
        for neighbor in neighborhood.of(known[rank], 1):
            made = neighbor.architecture
            if made is None or steps.get(made.rank, there + 1) <= there:
                continue
            steps[made.rank], came[made.rank], by[made.rank] = there, rank, neighbor
            known[made.rank] = made
            heapq.heappush(queue, (there + estimate(made), -there, made.rank))
    return None


def _given_up(start: Architecture) -> DiagnosticError:
    return problem(
        "NAS347",
        f"no path was found among the {EXPANDED:,} architectures nearest to #{start.rank}; "
        "there may be a longer one",
    )
