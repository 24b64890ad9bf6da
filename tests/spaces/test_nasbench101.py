"""NAS-Bench-101 by the number of its cells that are different as labeled graphs."""

from __future__ import annotations

import itertools
import random
from functools import cache
from pathlib import Path

import pytest

import nasdsl

FILE = Path(__file__).parents[2] / "spaces" / "nasbench101.nas"
EDGES = 9


@cache
def space(vertices: int) -> nasdsl.Space:
    return nasdsl.load(FILE, {"V": str(vertices)})


def edges_of(decisions, vertices: int) -> frozenset[tuple[int, int]]:
    """From where to where."""
    return frozenset((i, j) for j in range(1, vertices) for i in decisions[f"Cell.P[{j}]"])


def alive(edges: frozenset[tuple[int, int]], vertices: int) -> bool:
    """Whether every vertex lies on a way from the input to the output."""
    reached, reaching = {0}, {vertices - 1}
    for i, j in sorted(edges, key=lambda e: e[1]):
        if i in reached:
            reached.add(j)
    for i, j in sorted(edges, key=lambda e: -e[0]):
        if j in reaching:
            reaching.add(i)
    return len(reached & reaching) == vertices


def canonical(
    edges: frozenset[tuple[int, int]], labels: tuple[str, ...], vertices: int
) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """The least of all ways to number the inner vertices."""
    forms = []
    for order in itertools.permutations(range(1, vertices - 1)):
        number = {0: 0, vertices - 1: vertices - 1, **{v: n for n, v in enumerate(order, 1)}}
        moved = tuple(sorted((number[i], number[j]) for i, j in edges))
        forms.append((tuple(labels[v - 1] for v in order), moved))
    return min(forms)


def labels_of(decisions, vertices: int) -> tuple[str, ...]:
    return tuple(decisions[f"Cell.o[{j}]"] for j in range(1, vertices - 1))


@pytest.mark.parametrize(("vertices", "graphs"), [(2, 1), (3, 6), (4, 84)])
def test_as_many_cells_as_published(vertices, graphs):
    """Ying et al. (2019) count 1, 6 and 84 cells of 2, 3 and 4 vertices."""
    declared = space(vertices)
    assert declared.size == 2 ** (vertices * (vertices - 1) // 2) * 3 ** (vertices - 2)
    found = set()
    for architecture in declared:
        edges = edges_of(architecture.decisions, vertices)
        if len(edges) <= EDGES and alive(edges, vertices):
            found.add(canonical(edges, labels_of(architecture.decisions, vertices), vertices))
    assert len(found) == graphs


def test_as_many_cells_of_five_vertices_as_published():
    """2,441 of them. The edges come from the space with one operation; labels are independent."""
    bare = nasdsl.load(
        'use "nasbench101.nas"\nlet V = 5\nchoice Op(c) = | any = identity\n'
        "neighborhood { edit toggle: flip P of Cell }"
    )
    assert (bare.size, space(5).size) == (2**10, 2**10 * 3**3)
    found = set()
    for architecture in bare:
        edges = edges_of(architecture.decisions, 5)
        if len(edges) <= EDGES and alive(edges, 5):
            for labels in itertools.product(("conv3x3", "conv1x1", "maxpool3x3"), repeat=3):
                found.add(canonical(edges, labels, 5))
    assert len(found) == 2_441


def test_the_limit_on_edges():
    """The only cell of five vertices with more than nine edges is the complete one."""
    draw = random.Random(0)
    for rank in draw.sample(range(space(5).size), 40):
        architecture = space(5)[rank]
        edges = edges_of(architecture.decisions, 5)
        assert space(5).allows(architecture) == (len(edges) <= EDGES)
    complete = {f"Cell.P[{j}]": list(range(j)) for j in range(1, 5)}
    labels = {f"Cell.o[{j}]": "conv3x3" for j in range(1, 4)}
    assert not space(5).allows(space(5).architecture({**complete, **labels}))


def test_seven_vertices():
    declared = space(7)
    assert declared.size == 2**21 * 3**5
    for architecture in declared.samples(6, seed="nine"):
        assert len(edges_of(architecture.decisions, 7)) <= EDGES


def test_neighbors_are_the_published_edits():
    """An edit changes one operation or one edge (as the local search on this benchmark does)."""
    for center in space(7).samples(2, seed="edits"):
        edges = edges_of(center.decisions, 7)
        labels = labels_of(center.decisions, 7)
        expected = 0
        for edge in itertools.combinations(range(7), 2):
            expected += len(edges ^ {edge}) <= EDGES
        expected += 2 * len(labels)
        found = space(7).neighbors(center)
        assert len(found) == expected
        for neighbor in found:
            moved = edges_of(neighbor.decisions, 7)
            other = labels_of(neighbor.decisions, 7)
            assert len(moved ^ edges) + sum(a != b for a, b in zip(labels, other, strict=True)) == 1
