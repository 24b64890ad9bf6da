"""A network as a drawing: layered, top to bottom, one self-contained SVG.

Normalizations, activations and the like stand in the box of the operation they follow, so that
a box is what a person would draw. The layout is that of Sugiyama: layers by longest path,
order in the layers by barycenters, places by least squares.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import networkx as nx

from nasdsl.graph.layout import Point, layered
from nasdsl.graph.network import INPUT, Network, Node
from nasdsl.operations.activation import ACTIVATION
from nasdsl.operations.combine import COMBINE
from nasdsl.operations.normalization import NORMALIZATION
from nasdsl.operations.operation import REQUIRED
from nasdsl.operations.pooling import POOLING
from nasdsl.operations.table import lookup

LINE = 16.0
PAD = 9.0
CHARACTER = 7.4
"""Width of a character in pixels, at 12 pixels, generously."""
NARROWEST = 88.0
GAP_X, GAP_Y = 22.0, 30.0
MARGIN = 12.0

_FOLLOWERS = {o.name for o in (*NORMALIZATION, *ACTIVATION)} | {"dropout", "flatten"}
_FAMILIES = {
    **{o.name: "combine" for o in COMBINE},
    **{o.name: "pool" for o in POOLING},
    **dict.fromkeys(("linear", "attention", "embedding", "patch_embed", "class_token"), "dense"),
    **dict.fromkeys(("identity", "zero", *_FOLLOWERS), "plain"),
    INPUT: "end",
}
_SIGNS = {"add": "+", "concat": "++", "mul": "×"}

STYLE = """
.nas-net{font:12px/1 ui-sans-serif,system-ui,'Segoe UI',Roboto,sans-serif}
.nas-net .edge{fill:none;stroke:var(--nas-edge,#9aa5b1);stroke-width:1.3}
.nas-net .tip{fill:var(--nas-edge,#9aa5b1)}
.nas-net .box{fill:var(--nas-box,#fff);stroke:var(--nas-line,#cbd2d9)}
.nas-net .name{fill:var(--nas-ink,#1f2933);font-weight:600}
.nas-net .more{fill:var(--nas-soft,#616e7c)}
.nas-net .shape{fill:var(--nas-soft,#616e7c);font-size:10px}
.nas-net .conv{fill:#3e7cb1}.nas-net .pool{fill:#2f9e77}.nas-net .dense{fill:#8759b3}
.nas-net .combine{fill:#d08a1d}.nas-net .plain,.nas-net .end{fill:#8a94a0}
@media (prefers-color-scheme:dark){.nas-net{--nas-box:#1d242d;--nas-line:#3a4551;
--nas-ink:#e4e7eb;--nas-soft:#9aa5b1;--nas-edge:#66727f}}
""".replace("\n", "")


@dataclass(frozen=True, slots=True)
class _Box:
    """One box: an operation and those that follow it."""

    nodes: tuple[Node, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        followers = [_label(node) for node in self.nodes[1:]]
        return (_label(self.nodes[0]), *([" · ".join(followers)] if followers else []))

    @property
    def shape(self) -> str:
        return " × ".join(map(str, self.nodes[-1].type.shape))

    @property
    def size(self) -> tuple[float, float]:
        widest = max(len(line) for line in (*self.lines, self.shape))
        rows = len(self.lines) + 1
        return max(NARROWEST, widest * CHARACTER + 2 * PAD + 6), rows * LINE + PAD

    @property
    def tooltip(self) -> str:
        parts = []
        for node in self.nodes:
            settings = ", ".join(f"{k}={_written(v)}" for k, v in node.settings.items())
            cost = node.cost
            parts.append(
                f"{node.id}\n{node.op}({settings}): {node.type}"
                + (f", {cost.params:,} params" if cost.params else "")
                + (f", {cost.macs:,} macs" if cost.macs else "")
            )
        return "\n".join(parts)


def draw(network: Network, title: str | None = None) -> str:
    """The network as the text of an ``<svg>`` element, its size in pixels.

    Colors follow the reader's light or dark setting, and can be set by the CSS variables
    ``--nas-box``, ``--nas-line``, ``--nas-ink``, ``--nas-soft`` and ``--nas-edge``. All names
    are escaped; no script, font or image is referred to.
    """
    boxes = _boxes(network)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(boxes)
    owner = {node.id: head for head, box in boxes.items() for node in box.nodes}
    counted: dict[tuple[str, str], int] = {}
    for head, box in boxes.items():
        for operand in box.nodes[0].inputs:
            pair = (owner[operand], head)
            counted[pair] = counted.get(pair, 0) + 1
    graph.add_edges_from(counted)
    sizes = {head: box.size for head, box in boxes.items()}
    layout = layered(graph, sizes, GAP_X, GAP_Y)
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    name = escape(title or network.name)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nas-net" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="{-MARGIN:g} {-MARGIN:g} {width:.1f} {height:.1f}">',
        f"<title>{name}</title><style>{STYLE}</style>",
    ]
    for pair, times in counted.items():
        parts.append(_edge(layout.routes[pair], times))
    outputs = {owner[o] for o in network.outputs}
    for head, box in boxes.items():
        parts.append(_drawn(box, layout.places[head], head in outputs))
    return "".join([*parts, "</svg>"])


def _boxes(network: Network) -> dict[str, _Box]:
    """Boxes by the id of their first node, in topological order."""
    users: dict[str, int] = dict.fromkeys(network.by_id, 0)
    for node in network.nodes:
        for operand in node.inputs:
            users[operand] += 1
    for output in network.outputs:
        users[output] += 1
    heads: dict[str, str] = {}
    chains: dict[str, list[Node]] = {}
    for node in network.nodes:
        before = node.inputs[0] if len(node.inputs) == 1 else None
        follows = (
            before is not None
            and node.op in _FOLLOWERS
            and users[before] == 1
            and network.by_id[before].op != INPUT
        )
        head = heads[before] if follows and before is not None else node.id
        heads[node.id] = head
        chains.setdefault(head, []).append(node)
    return {head: _Box(tuple(chain)) for head, chain in chains.items()}


def _label(node: Node) -> str:
    """An operation in few characters: its name, its window, and what is not as usual."""
    if node.op in _SIGNS:
        return _SIGNS[node.op]
    settings = dict(node.settings)
    words = [node.op]
    kernel = settings.pop("kernel", None)
    if kernel is not None:
        words.append(f"{kernel}×{kernel}" if len(node.type.shape) == 3 else str(kernel))
    unusual = _unusual(node.op, settings, {"kernel": kernel})
    words += [f"{name} {_written(value)}" for name, value in unusual.items()]
    return " ".join(words[:2]) + "".join(f", {word}" for word in words[2:])


def _unusual(op: str, settings: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that differ from their defaults; the size of the output is shown as its shape."""
    operation = lookup(op)
    if operation is None:
        return dict(settings)
    found = {}
    for parameter in operation.parameters:
        if parameter.name not in settings or parameter.name in ("channels", "bias"):
            continue
        usual = parameter.default
        if usual is None:
            usual = known.get("kernel")
        value = settings[parameter.name]
        is_size = usual is REQUIRED and parameter.name in ("features", "n", "units", "size")
        if value != usual and not is_size:
            found[parameter.name] = value
    return found


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _drawn(box: _Box, center: Point, is_output: bool) -> str:
    width, height = box.size
    x, y = center[0] - width / 2, center[1] - height / 2
    family = _FAMILIES.get(box.nodes[0].op, "conv")
    rows = [
        f'<text class="{"name" if k == 0 else "more"}" x="{x + PAD + 5:.1f}" '
        f'y="{y + PAD + LINE * k + 6:.1f}">{escape(line)}</text>'
        for k, line in enumerate(box.lines)
    ]
    shape_y = y + PAD + LINE * len(box.lines) + 5
    rows.append(
        f'<text class="shape" x="{x + PAD + 5:.1f}" y="{shape_y:.1f}">'
        f"{'→ ' if is_output else ''}{escape(box.shape)}</text>"
    )
    return (
        f"<g><title>{escape(box.tooltip)}</title>"
        f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="5"/><rect class="{family}" x="{x:.1f}" y="{y:.1f}" width="4" '
        f'height="{height:.1f}" rx="2"/>{"".join(rows)}</g>'
    )


def _edge(route: Sequence[Point], times: int) -> str:
    """A smooth line through the points, vertical at each; several for several ports."""
    parts = []
    for k in range(times):
        shift = 5.0 * (k - (times - 1) / 2)
        parts.append(f'<path class="edge" d="{_path(route, shift)}"/>')
        x, y = route[-1][0] + shift, route[-1][1]
        parts.append(
            f'<path class="tip" d="M{x - 3.5:.1f} {y - 6:.1f}L{x + 3.5:.1f} {y - 6:.1f}'
            f'L{x:.1f} {y:.1f}Z"/>'
        )
    return "".join(parts)


def _path(route: Iterable[Point], shift: float) -> str:
    points = [(x + shift, y) for x, y in route]
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        bend = (y1 - y0) / 2
        text += f"C{x0:.1f} {y0 + bend:.1f} {x1:.1f} {y1 - bend:.1f} {x1:.1f} {y1:.1f}"
    return text
