"""Unique cells of NAS-Bench-101 by number of vertices, up to the published 423,624.

    python -m benchmarks.nasbench101

The ways to connect up to five vertices are the decisions of the shipped space with one operation;
those of more are listed here, and only their number is compared. They are gathered by
isomorphism, and labelings by three operations counted up to automorphism (Burnside's lemma).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from time import perf_counter

import click
import numpy as np

import nasdsl

PUBLISHED = {2: 1, 3: 6, 4: 84, 5: 2_441, 6: 62_010, 7: 359_082}
TEXT = """use "nasbench101.nas"
let V = {}
choice Op(c) = | any = identity
neighborhood {{ edit toggle: flip P of Cell }}
"""
OPERATIONS = 3


def picks(vertices: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """What every vertex but the first reads."""
    space = nasdsl.load(TEXT.format(vertices))
    assert space.size == 2 ** (vertices * (vertices - 1) // 2)
    if vertices <= 5:
        names = [f"Cell.P[{j}]" for j in range(1, vertices)]
        return (tuple(a.decisions[name] for name in names) for a in space)
    subsets = [
        [p for k in range(j + 1) for p in itertools.combinations(range(j), k)]
        for j in range(1, vertices)
    ]
    return itertools.product(*subsets)


def connected(vertices: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Edges of the cells in which every vertex is on a way from input to output."""
    for picked in picks(vertices):
        # Every inner vertex has an input, and so has the output.
        if not all(picked) or sum(map(len, picked)) > 9:
            continue
        if len(set(itertools.chain(*picked))) == vertices - 1:
            yield tuple((i, j) for j, sources in enumerate(picked, 1) for i in sources)


def unique(vertices: int) -> int:
    """Cells that are different as labeled graphs."""
    inner = vertices - 2
    found = list(connected(vertices))
    graphs = np.zeros((len(found), vertices, vertices), dtype=bool)
    for number, edges in enumerate(found):
        for i, j in edges:
            graphs[number, i, j] = True
    weights = 2 ** np.arange(vertices * vertices, dtype=np.int64).reshape(vertices, vertices)
    own = (graphs * weights).sum(axis=(1, 2))
    least = own.copy()
    fixed = np.zeros(len(found), dtype=np.int64)
    automorphisms = np.zeros(len(found), dtype=np.int64)
    for order in itertools.permutations(range(inner)):
        places = np.array([0, *(1 + p for p in order), vertices - 1])
        code = (graphs * weights[np.ix_(places, places)]).sum(axis=(1, 2))
        np.minimum(least, code, out=least)
        same = code == own
        fixed += same * OPERATIONS ** _cycles(order)
        automorphisms += same
    _, first = np.unique(least, return_index=True)
    return int((fixed[first] // automorphisms[first]).sum())


def _cycles(order: tuple[int, ...]) -> int:
    seen: set[int] = set()
    number = 0
    for start in range(len(order)):
        number += start not in seen
        at = start
        while at not in seen:
            seen.add(at)
            at = order[at]
    return number


@click.command()
@click.option("--most", default=7, show_default=True, help="Most vertices.")
def main(most: int) -> None:
    total = 0
    for vertices in range(2, most + 1):
        start = perf_counter()
        found = unique(vertices)
        total += found
        row = {"vertices": vertices, "unique": found, "published": PUBLISHED.get(vertices)}
        print(json.dumps({**row, "seconds": round(perf_counter() - start, 1)}), flush=True)
    print(json.dumps({"total": total}))


if __name__ == "__main__":
    main()
