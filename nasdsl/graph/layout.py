"""Layered layout of a directed acyclic graph (Sugiyama, Tagawa, Toda 1981)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

Point = tuple[float, float]
SWEEPS = 12
DUMMY_WIDTH = 10.0

_Spot = tuple[str, ...]
"""A node ``(name,)``, or the place where a long edge crosses a layer: (from, to, layer)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are, in the units of the sizes, the origin at the top left.

    Attributes:
        places: the center of each node.
        routes: for each edge the points it goes through, from the lower side of its tail to
            the upper side of its head.
        width, height: of the whole.
    """

    places: Mapping[str, Point]
    routes: Mapping[tuple[str, str], tuple[Point, ...]]
    width: float
    height: float


def layered(
    graph: nx.DiGraph[str], sizes: Mapping[str, tuple[float, float]], gap_x: float, gap_y: float
) -> Layout:
    """Places the nodes of a DAG, edges running down, without overlaps.

    ``sizes`` are widths and heights; ``gap_x`` and ``gap_y`` the least distances between
    neighbors in a layer and between layers. Equal graphs give equal layouts.
    """
    if not graph:
        return Layout({}, {}, 0.0, 0.0)
    layer = {n: k for k, names in enumerate(nx.topological_generations(graph)) for n in names}
    layers: list[list[_Spot]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in graph:
        layers[layer[name]].append((name,))
    below: dict[_Spot, list[_Spot]] = {}
    above: dict[_Spot, list[_Spot]] = {}
    chains: dict[tuple[str, str], list[_Spot]] = {}
    for tail, head in graph.edges:
        crossed: list[_Spot] = [(tail, head, str(k)) for k in range(layer[tail] + 1, layer[head])]
        for k, spot in enumerate(crossed, start=layer[tail] + 1):
            layers[k].append(spot)
        chain: list[_Spot] = [(tail,), *crossed, (head,)]
        chains[tail, head] = chain
        for upper, lower in itertools.pairwise(chain):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    layers = _ordered(layers, above, below)
    widths = {s: sizes[s[0]][0] if len(s) == 1 else DUMMY_WIDTH for row in layers for s in row}
    xs = _across(layers, above, below, widths, gap_x)
    left = min(xs[s] - widths[s] / 2 for s in xs)
    ys: list[float] = []
    heights = [max((sizes[s[0]][1] for s in row if len(s) == 1), default=0.0) for row in layers]
    top = 0.0
    for height in heights:
        ys.append(top + height / 2)
        top += height + gap_y
    places = {s[0]: (xs[s] - left, ys[layer[s[0]]]) for row in layers for s in row if len(s) == 1}
    routes = {}
    for (tail, head), chain in chains.items():
        start = (places[tail][0], places[tail][1] + sizes[tail][1] / 2)
        end = (places[head][0], places[head][1] - sizes[head][1] / 2)
        between: list[Point] = []
        for spot in chain[1:-1]:
            k = int(spot[2])
            x = xs[spot] - left
            between += [(x, ys[k] - heights[k] / 2), (x, ys[k] + heights[k] / 2)]
        routes[tail, head] = (start, *between, end)
    width = max(xs[s] - left + widths[s] / 2 for s in xs)
    return Layout(places, routes, width, top - gap_y)


Links = Mapping[_Spot, Sequence[_Spot]]


def _ordered(layers: list[list[_Spot]], above: Links, below: Links) -> list[list[_Spot]]:
    """Layers with few crossings: sweeps by barycenters, the best of all kept."""
    best, fewest = [list(row) for row in layers], crossings(layers, below)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        rows = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        for k in rows:
            fixed = {s: i for i, s in enumerate(layers[k - 1 if down else k + 1])}
            links = above if down else below
            keys = {
                s: sum(fixed[t] for t in links[s]) / len(links[s]) if links.get(s) else float(i)
                for i, s in enumerate(layers[k])
            }
            layers[k] = sorted(layers[k], key=keys.__getitem__)  # ties stay as they were
        count = crossings(layers, below)
        if count < fewest:
            best, fewest = [list(row) for row in layers], count
    return best


def crossings(layers: Sequence[Sequence[_Spot]], below: Links) -> int:
    """How many pairs of edges cross between neighboring layers."""
    count = 0
    for upper, lower in itertools.pairwise(layers):
        at = {s: i for i, s in enumerate(lower)}
        ends = [sorted(at[t] for t in below.get(s, ())) for s in upper]
        flat = [e for row in ends for e in row]
        for i, end in enumerate(flat):
            count += sum(1 for other in flat[i + 1 :] if other < end)
    return count


def _across(
    layers: Sequence[Sequence[_Spot]],
    above: Links,
    below: Links,
    widths: Mapping[_Spot, float],
    gap: float,
) -> dict[_Spot, float]:
    """Horizontal centers: each spot as near to the mean of its neighbors as order allows."""
    xs: dict[_Spot, float] = {}
    for row in layers:
        offsets = _offsets(row, widths, gap)
        middle = offsets[-1] / 2
        xs.update({s: o - middle for s, o in zip(row, offsets, strict=True)})
    for sweep in range(SWEEPS):
        rows = layers if sweep % 2 == 0 else layers[::-1]
        for row in rows:
            wanted = []
            for spot in row:
                # Both sides pull, the side the sweep comes from more; long edges more still,
                # which keeps them straight.
                first, second = (above, below) if sweep % 2 == 0 else (below, above)
                pulls = [(xs[t], 3.0) for t in first.get(spot, ())]
                pulls += [(xs[t], 1.0) for t in second.get(spot, ())]
                total = sum(w for _, w in pulls)
                wanted.append(sum(x * w for x, w in pulls) / total if total else xs[spot])
            xs.update(zip(row, _apart(wanted, _offsets(row, widths, gap)), strict=True))
    return xs


def _offsets(row: Sequence[_Spot], widths: Mapping[_Spot, float], gap: float) -> list[float]:
    offsets = [0.0]
    for left, right in itertools.pairwise(row):
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
    return offsets


def _apart(wanted: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones, in least squares, that keep the distances.

    With the offsets taken off, this is isotonic regression: pools of violators share a mean.
    """
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    means = [total / count for total, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
