"""The published table of NAS-Bench-201, and the benchmark's own rules for its names.

The rules are written from their description (Dong & Yang 2020, section 3.1): a network's string
replaces a skip by what it reads, and, where zeros are considered, marks whatever is zero.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
Edges = tuple[str, str, str, str, str, str]
"""Operations of the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3."""


def cells() -> Iterator[Edges]:
    """All cells, the first edge slowest."""
    for chosen in itertools.product(OPERATIONS, repeat=6):
        a, b, c, d, e, f = chosen
        yield a, b, c, d, e, f


def name(cell: Edges) -> str:
    """The benchmark's name of a cell."""
    a, b, c, d, e, f = cell
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def nodes(cell: Edges) -> tuple[tuple[str, ...], ...]:
    """The operations into nodes 1 to 3, by where they come from."""
    return cell[:1], cell[1:3], cell[3:]


def unique_string(cell: Edges, zeros: bool) -> str:
    """The string by which the benchmark tells cells apart; with ``zeros``, zeros are a mark."""
    texts = ["0"]
    for operations in nodes(cell):
        parts = []
        for source, operation in enumerate(operations):
            if zeros and (operation == "none" or texts[source] == "#"):
                parts.append("#")
            elif operation == "skip_connect":
                parts.append(texts[source])
            else:
                parts.append(f"({texts[source]})@{operation}")
        texts.append("+".join(sorted(parts)))
    return texts[-1]


def simplified(cell: Edges) -> str:
    """A cell as an equation, equal for two cells exactly if one is the other renamed.

    A value is the sum of what comes in, nothing where that is all zero. A skip passes a value
    on. Pooling has no weights, so that pooling one value twice gives one value. A convolution
    has weights of its own: those of zero are the constant of its norm. Weights are numbered,
    and of all numberings that keep alike edges together the least text counts.
    """
    return numbered(cell)[0]


def numbered(cell: Edges) -> tuple[str, dict[int, int]]:
    """A cell as :func:`simplified`, and the numbers that its weights have there, by edge.

    Edges without weights, and edges whose weights the result does not depend on, have none.
    """
    graph, result = _graph(cell)
    if result is None:
        return "0", {}
    shapes = {edge: _shape(edge, graph) for edge in _weights(result, graph)}
    groups = [
        list(g)
        for _, g in itertools.groupby(sorted(shapes, key=shapes.__getitem__), shapes.__getitem__)
    ]
    found = []
    for orders in itertools.product(*(itertools.permutations(g) for g in groups)):
        number = {edge: i for i, edge in enumerate(itertools.chain(*orders))}
        found.append((_text(result, graph, number), number))
    return min(found, key=lambda f: f[0])


Value = tuple[object, ...] | None
"""A value: ``("in",)``, ``("op", operation, weights or none, value)``, ``("sum", values)``."""


def _graph(cell: Edges) -> tuple[dict[int, tuple[str, Value]], Value]:
    """What the weights of each edge apply to, and the value of the last node."""
    values: list[Value] = [("in",)]
    weighted: dict[int, tuple[str, Value]] = {}
    edge = 0
    for operations in nodes(cell):
        terms: list[Value] = []
        for source, operation in enumerate(operations):
            value = values[source]
            if operation == "skip_connect":
                terms.append(value)
            elif operation == "avg_pool_3x3" and value is not None:
                terms.append(("pool", value))
            elif operation.startswith("nor_conv"):
                weighted[edge] = ("norm" if value is None else operation, value)
                terms.append(("weights", edge))
            edge += 1
        alive = [t for t in terms if t is not None]
        values.append(None if not alive else alive[0] if len(alive) == 1 else ("sum", *alive))
    return weighted, values[-1]


def _weights(value: Value, graph: dict[int, tuple[str, Value]]) -> set[int]:
    """The edges whose weights a value depends on."""
    if value is None or value[0] == "in":
        return set()
    if value[0] == "weights":
        edge = value[1]
        assert isinstance(edge, int)
        return {edge} | _weights(graph[edge][1], graph)
    found: set[int] = set()
    for part in value[1:]:
        assert isinstance(part, tuple)
        found |= _weights(part, graph)
    return found


def _shape(edge: int, graph: dict[int, tuple[str, Value]]) -> str:
    return _text(("weights", edge), graph, None)


def _text(value: Value, graph: dict[int, tuple[str, Value]], number: dict[int, int] | None) -> str:
    if value is None or value[0] == "in":
        return "0" if value is None else "x"
    if value[0] == "weights":
        edge = value[1]
        assert isinstance(edge, int)
        operation, below = graph[edge]
        mark = "" if number is None else str(number[edge])
        return f"{operation}{mark}({_text(below, graph, number)})"
    parts = []
    for part in value[1:]:
        assert isinstance(part, tuple)
        parts.append(_text(part, graph, number))
    return f"{value[0]}({','.join(sorted(parts))})"


@cache
def rows() -> tuple[dict[str, str], ...]:
    """The published table; skips the test that asks where it is not here."""
    given = os.environ.get("NASDSL_DATA")
    folder = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    path = folder / "nasbench201_accuracy.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here: set NASDSL_DATA to its folder")
    with gzip.open(path, "rt", newline="") as file:
        return tuple(csv.DictReader(file))
