"""Shortest ways from one architecture to another by the edits of their space."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from nasdsl.diagnostics import problem
from nasdsl.neighborhood.neighborhood import Neighbor, Neighborhood
from nasdsl.neighborhood.rules import Change, Relabel, Step
from nasdsl.space.architecture import Architecture

EXPANDED = 20_000
"""How many architectures are looked at before the search gives up."""


def shortest_path(
    neighborhood: Neighborhood, start: Architecture, end: Architecture
) -> list[Neighbor] | None:
    """The edits of a shortest path, or none where no path exists.

    A* search; the number of decisions that differ never overestimates where every edit changes
    one decision of a product space, and elsewhere the search is breadth-first. Raises
    :class:`~nasdsl.diagnostics.DiagnosticError` where it gives up.
    """
    estimate = _estimate(neighborhood, end)
    best = {start.rank: 0}
    came: dict[int, tuple[int, Neighbor]] = {}
    queue = [(estimate(start), 0, start.rank)]
    known = {start.rank: start}
    done: set[int] = set()
    while queue:
        _, steps, rank = heapq.heappop(queue)
        if rank == end.rank:
            return _trail(came, rank)
        if rank in done:
            continue
        done.add(rank)
        if len(done) > EXPANDED:
            raise problem(
                "NAS347",
                f"no path was found among the {EXPANDED:,} architectures nearest to "
                f"#{start.rank}; there may be a longer one",
            )
        for neighbor in neighborhood.of(known[rank], 1):
            made = neighbor.architecture
            if made is None or best.get(made.rank, steps + 2) <= steps + 1:
                continue
            best[made.rank] = steps + 1
            came[made.rank] = (rank, neighbor)
            known[made.rank] = made
            heapq.heappush(queue, (steps + 1 + estimate(made), steps + 1, made.rank))
    return None


def _trail(came: dict[int, tuple[int, Neighbor]], rank: int) -> list[Neighbor]:
    path = []
    while rank in came:
        rank, neighbor = came[rank]
        path.append(neighbor)
    return path[::-1]


def _estimate(neighborhood: Neighborhood, end: Architecture) -> Callable[[Architecture], int]:
    single = all(
        len(edit.rules) == 1 and isinstance(edit.rules[0], Change | Relabel | Step)
        for edit in neighborhood.rules
    )
    if not single or neighborhood.space.flat is None:
        return lambda architecture: 0
    goal = end.decisions
    return lambda architecture: sum(v != goal[n] for n, v in architecture.decisions.items())
