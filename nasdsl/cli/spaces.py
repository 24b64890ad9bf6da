"""Verbs about a space and its architectures: ``info``, ``sample``, ``show``, ``neighbors``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nasdsl.cli import layout, output
from nasdsl.cli.arguments import load_space, overridable, seeded

if TYPE_CHECKING:
    from nasdsl.graph.network import Network
    from nasdsl.space import Architecture, Neighbor


@click.command(
    epilog="""\b
Examples:
  nasdsl info space.nas
  nasdsl info space.nas --set width=32 --json
"""
)
@click.argument("file")
@overridable
@output.answers
def info(file: str, overrides: dict[str, str]) -> None:
    """Say how large a space is: architectures, choices, neighbors, costs.

    Counts are exact. A bound of the costs that may not be reached is marked.
    """
    out = output.current()
    space = load_space(file, overrides)
    record = space.info()
    if out.as_json:
        out.record(record)
        return
    out.line(f"{space.name}: {space.doc}" if space.doc else space.name)
    feasible = "unknown" if record["feasible"] is None else layout.number(record["feasible"])
    pairs = [
        ("architectures", layout.number(record["architectures"])),
        ("feasible", feasible),
        ("choices", _choices(record["choices"])),
        ("neighbors", layout.bounds(record["neighbors"])),
        ("params", layout.bounds(record["params"])),
        ("macs", layout.bounds(record["macs"])),
        ("input", str(space.input)),
        ("output", str(space.output)),
    ]
    for line in layout.fields(pairs):
        out.line(line)


def _choices(choices: list[dict[str, Any]]) -> str:
    shown = [f"{c['name']} of {layout.number(c['values'])}" for c in choices]
    return ", ".join(text.replace(" ", "\N{NO-BREAK SPACE}") for text in shown)


@click.command(
    epilog="""\b
Examples:
  nasdsl sample space.nas -n 5 --seed 0
  nasdsl sample space.nas --json > architecture.json
"""
)
@click.argument("file")
@click.option("-n", "count", type=click.IntRange(min=0), default=1, show_default=True, metavar="N")
@seeded
@overridable
@output.answers
def sample(file: str, count: int, seed: int, overrides: dict[str, str]) -> None:
    """Draw architectures, uniformly over those that meet the file's constraints.

    The draw is with repetition. With -q only ranks are printed, with -v the decisions too.
    """
    out = output.current()
    space = load_space(file, overrides)
    drawn = space.samples(count, seed)
    if out.as_json:
        for architecture in drawn:
            out.record(architecture.to_json())
    elif out.quiet:
        for architecture in drawn:
            out.line(f"#{architecture.rank}")
    else:
        _print_architectures(out, drawn)


def _print_architectures(out: output.Output, architectures: list[Architecture]) -> None:
    rows = [
        (
            layout.rank(a.rank),
            layout.number(a.params),
            layout.number(a.macs),
            a.fingerprint[:12],
            a.key or "",
        )
        for a in architectures
    ]
    head = ("rank", "params", "macs", "fingerprint", "key" if any(r[4] for r in rows) else "")
    first, *lines = layout.table(rows, head, left=(3, 4))
    out.line(first)
    for architecture, line in zip(architectures, lines, strict=True):
        out.line(line)
        if out.verbose:
            for text in layout.decisions(architecture.decisions):
                out.line(text)


@click.command(
    epilog="""\b
ARCH is a rank, a key of the space, or a JSON file, also of a network that an
edit led out of the space.
\b
Examples:
  nasdsl show space.nas 7712
  nasdsl show space.nas architecture.json -v
"""
)
@click.argument("file")
@click.argument("arch")
@overridable
@output.answers
def show(file: str, arch: str, overrides: dict[str, str]) -> None:
    """Show one architecture: its decisions, and its network with shapes and costs.

    With -v every setting of every operation is printed.
    """
    out = output.current()
    architecture = load_space(file, overrides).find(arch)
    record = architecture.to_json()
    if out.as_json:
        out.record(record)
        return
    rank = "outside the space" if architecture.rank is None else f"#{architecture.rank}"
    out.line(f"{record['space']} {rank}")
    pairs = [
        ("fingerprint", architecture.fingerprint),
        ("params", layout.number(architecture.params)),
        ("macs", layout.number(architecture.macs)),
    ]
    if architecture.key:
        pairs.insert(0, ("key", architecture.key))
    for line in layout.fields(pairs):
        out.line(line)
    if architecture.decisions:
        out.line()
        for line in layout.fields(
            (name, layout.value_text(value)) for name, value in architecture.decisions.items()
        ):
            out.line(line)
    out.line()
    for line in _network(architecture.network, out.verbose):
        out.line(line)


def _network(network: Network, every_setting: bool) -> list[str]:
    rows = []
    for node in network.nodes:
        rows.append(
            (
                node.op,
                str(node.type),
                layout.number(node.cost.params),
                layout.number(node.cost.macs),
                node.id,
            )
        )
    head, *lines = layout.table(
        rows, ("operation", "result", "params", "macs", "at"), left=(0, 1, 4)
    )
    if not every_setting:
        return [head, *lines]
    shown = [head]
    for node, line in zip(network.nodes, lines, strict=True):
        shown.append(line)
        settings = ", ".join(
            f"{name}={layout.value_text(value)}" for name, value in node.settings.items()
        )
        if settings:
            shown += layout.wrapped(settings, "    ")
        if node.inputs:
            shown += layout.wrapped("from " + ", ".join(node.inputs), "    ")
    return shown


@click.command(
    epilog="""\b
ARCH is a rank, a key of the space, or a JSON file, also of a network that an
edit led out of the space.
\b
Examples:
  nasdsl neighbors space.nas 7712
  nasdsl neighbors space.nas '#7712' -n 6 --seed 1 --json
"""
)
@click.argument("file")
@click.argument("arch")
@click.option(
    "-n", "count", type=click.IntRange(min=0), metavar="N", help="Draw N of them; all by default."
)
@seeded
@overridable
@output.answers
def neighbors(
    file: str, arch: str, count: int | None, seed: int, overrides: dict[str, str]
) -> None:
    """List the architectures that one edit leads to, by the file's edit rules.

    With -q only ranks are printed.
    """
    out = output.current()
    space = load_space(file, overrides)
    center = space.find(arch)
    found = (
        space.neighbors(center) if count is None else space.sample_neighbors(center, count, seed)
    )
    if out.as_json:
        for neighbor in found:
            out.record(_neighbor_record(neighbor))
    elif out.quiet:
        for neighbor in found:
            out.line(_rank(neighbor))
    else:
        rows = [(n.edit, layout.rank(n.rank), n.fingerprint[:12], _changes(n)) for n in found]
        head = ("edit", "rank", "fingerprint", "changed")
        for line in layout.table(rows, head, left=(0, 2, 3)):
            out.line(line)


def _neighbor_record(neighbor: Neighbor) -> dict[str, Any]:
    record = neighbor.to_json()
    if neighbor.rank is None:
        # No text describes it: the line itself is what other verbs read as ARCH.
        from nasdsl.graph.plain import to_plain

        record["network"] = to_plain(neighbor.network)
    return record


def _rank(neighbor: Neighbor) -> str:
    return "outside" if neighbor.rank is None else f"#{neighbor.rank}"


def _changes(neighbor: Neighbor) -> str:
    return ", ".join(
        f"{change['decision']}: {layout.value_text(change['from'])} -> "
        f"{layout.value_text(change['to'])}"
        for change in neighbor.changed
    )
