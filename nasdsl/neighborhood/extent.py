"""How many neighbors the architectures of a space have: least and most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nasdsl.neighborhood.complete import completed
from nasdsl.neighborhood.rewrite import Rewrite
from nasdsl.neighborhood.rules import Change, Exchange, Flip, Relabel, Resize, Step
from nasdsl.neighborhood.sites import Site, sites
from nasdsl.space.bounds import Bounds, extremes
from nasdsl.space.constraints import COSTS
from nasdsl.space.residual import Branch, Emit

if TYPE_CHECKING:
    from nasdsl.neighborhood.neighborhood import Neighborhood

ENUMERATED = 400
"""Spaces of up to so many architectures are enumerated where nothing shorter is exact."""

VISITED = 5_000
"""Spaces of up to so many architectures are visited where costs add up on the way."""

_PLAIN = (Change, Relabel, Step, Flip, Exchange)


def extent(neighborhood: Neighborhood) -> Bounds:
    """The least and greatest number of neighbors over the space.

    Exact where every edit changes one decision wherever it fits, and there is no ``require``;
    and in small spaces by enumeration. Otherwise the upper bound counts every edit as if it
    fitted everywhere and the lower bound is 0.
    """
    space = neighborhood.space
    plain = all(
        len(edit.rules) == 1
        and isinstance(edit.rules[0], _PLAIN)
        and not edit.at
        and edit.where is None
        and not getattr(edit.rules[0], "within", "")
        for edit in neighborhood.rules
    )
    exact = plain and neighborhood.radius == 1 and not space.program.requires
    if not exact and space.size <= ENUMERATED:
        counts = [len(neighborhood.of(a)) for a in space if space.allows(a)]
        return Bounds(min(counts, default=0), max(counts, default=0), True)

    counted = _counted(neighborhood)
    if counted is not None:
        return counted
    if any(
        isinstance(rule, Rewrite | Resize) for edit in neighborhood.rules for rule in edit.rules
    ):
        # How many places a rewrite finds depends on the whole graph.
        return Bounds(0, _most_sites(neighborhood), False, False)

    def option(branch: Branch, value: Any) -> tuple[int, ...]:
        return (len(_targets(neighborhood, branch, value)),)

    (low, high), attained = extremes(space, 1, lambda emit: (0,), option)
    if exact:
        return Bounds(low[0], high[0], attained, attained)
    if not plain or neighborhood.radius > 1:
        return Bounds(0, min(space.size - 1, _ball(high[0], neighborhood.radius)), False, False)
    return Bounds(0, high[0], False, False)


Decided = frozenset[tuple[str, Any]]


def _counted(neighborhood: Neighborhood) -> Bounds | None:
    """The exact bounds of a space of moderate size whose constraints are on additive costs.

    Every architecture is visited, but none is built: its cost is added up on the way.
    """
    space = neighborhood.space
    windows = [window for read in space.windows for window in read or ()]
    costs = None not in space.windows and all(
        quantity.name in COSTS for window in windows for quantity, _ in window.terms
    )
    single = all(
        len(edit.rules) == 1 and not isinstance(edit.rules[0], Rewrite) and edit.where is None
        for edit in neighborhood.rules
    )
    if (
        not single
        or not costs
        or neighborhood.radius != 1
        or space.size > VISITED
        or not space.additive
    ):
        return None

    def met(params: int, macs: int) -> bool:
        # Where costs are additive all that is written is live.
        cost = {"params": params, "declared_params": params, "macs": macs, "declared_macs": macs}
        return all(
            window.holds(sum(factor * cost[quantity.name] for quantity, factor in window.terms))
            for window in windows
        )

    known: dict[Decided, tuple[Decided, bool]] = {}

    def judged(decisions: Mapping[str, Any]) -> tuple[Decided, bool]:
        """The architecture of decisions, and whether it meets the constraints."""
        given = frozenset(decisions.items())
        if given not in known:
            made, params, macs = completed(space, decisions)
            known[given] = frozenset(made.items()), met(params, macs)
        return known[given]

    low, high = space.size, 0
    for center in space:
        this, allowed = judged(center.decisions)
        if not allowed:
            continue
        here = sites(center)
        seen = {this}
        for edit in neighborhood.rules:
            rule = edit.rules[0]
            assert not isinstance(rule, Rewrite)
            for site, changed in rule.apply(center.decisions, here):
                if edit.here(site):
                    made, allowed = judged(changed)
                    if allowed:
                        seen.add(made)
        low, high = min(low, len(seen) - 1), max(high, len(seen) - 1)
    return Bounds(min(low, high), high, True)


def _most_sites(neighborhood: Neighborhood) -> int:
    """An upper bound where edits depend on the graph: every edit at every operation and value."""

    def emit(step: Emit) -> tuple[int, ...]:
        return (1,)

    def option(branch: Branch, value: Any) -> tuple[int, ...]:
        return (len(branch.options),)

    (_, high), _ = extremes(neighborhood.space, 1, emit, option)
    edits = sum(
        max(1, sum(len(way[0]) for r in edit.rules if isinstance(r, Rewrite) for way in r.ways))
        for edit in neighborhood.rules
    )
    return _ball(high[0] * edits, neighborhood.radius)


def _ball(degree: int, radius: int) -> int:
    return sum(degree**r for r in range(1, radius + 1))


def _anywhere(rule: Any) -> Any:
    """A rule without its place, which a decision seen by itself does not tell."""
    return replace(rule, within="") if getattr(rule, "within", "") else rule


def _targets(neighborhood: Neighborhood, branch: Branch, value: Any) -> set[Any]:
    """The values that some edit gives one decision (edits of one decision alone)."""
    name = branch.name or branch.of
    site = Site(name, branch.of, branch.kind, value, tuple(branch.options))
    found: set[Any] = set()
    for edit in neighborhood.rules:
        for rule in edit.rules:
            assert not isinstance(rule, Rewrite)
            for _, after in _anywhere(rule).apply({name: value}, [site]):
                if isinstance(rule, Exchange):
                    (gone,) = set(value) - set(after[name])
                    found.add((after[name], gone))
                else:
                    found.add(after[name])
    return found
