"""Verbs about a space and its architectures: ``info``, ``sample``, ``show``, ``neighbors``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nasdsl.cli import layout, output
from nasdsl.cli.arguments import load_space, overridable, seeded
from nasdsl.cli.files import STREAM, write_text
from nasdsl.diagnostics import problem, suggestion

if TYPE_CHECKING:
    from nasdsl.graph.network import Network
    from nasdsl.space import Architecture, Neighbor, Space
    from nasdsl.space.outside import Outside


@click.command(
    epilog="""\b
Examples:
  nasdsl info space.nas
  nasdsl info space.nas --set width=32 --json
  nasdsl info space.nas --classes
"""
)
@click.argument("file")
@click.option(
    "--classes", is_flag=True, help="Build every architecture and count different networks."
)
@click.option("--ties", is_flag=True, help="Say which choices are decided once, and for what.")
@overridable
@output.answers
def info(file: str, classes: bool, ties: bool, overrides: dict[str, str]) -> None:
    """Say how large a space is: architectures, choices, neighbors, costs.

    Counts are exact. A bound of the costs that may not be reached is marked.
    """
    out = output.current()
    space = load_space(file, overrides)
    record = space.info()
    if classes:
        record["classes"] = space.classes()
    if ties:
        from nasdsl.space.ties import ties as tied

        record["ties"] = [tie.to_json() for tie in tied(space)]
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
    if "feasible_bounds" in record:
        bounds = record["feasible_bounds"]
        low, high = layout.number(bounds["min"]), layout.number(bounds["max"])
        pairs[1] = ("feasible", f"{low} to {high} ({bounds['reason']})")
    if classes:
        pairs.append(("networks", f"{layout.number(record['classes'])} different"))
    for line in layout.fields(pairs):
        out.line(line)
    if ties:
        out.line()
        rows = [
            (t["name"], str(t["line"]), t["decided"], str(len(t["decisions"])), str(t["uses"]))
            for t in record["ties"]
        ]
        head = ("choice", "line", "decided", "decisions", "places each")
        for line in layout.table(rows, head, left=(0, 2)):
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
  nasdsl show darts.nas 7 --svg cell.svg --part Normal
"""
)
@click.argument("file")
@click.argument("arch")
@click.option("--svg", metavar="OUT", help="Draw the network to this file, '-' for output.")
@click.option("--part", metavar="NAME", help="Draw only the first use of this cell or block.")
@click.option(
    "--fold", "folded", multiple=True, metavar="NAME", help="Draw each use as one box. Repeatable."
)
@overridable
@output.answers
def show(
    file: str,
    arch: str,
    svg: str | None,
    part: str | None,
    folded: tuple[str, ...],
    overrides: dict[str, str],
) -> None:
    """Show one architecture: its decisions, and its network with shapes and costs.

    With -v every setting of every operation is printed. The drawing of --svg opens in any
    browser, and shows the settings of an operation that the mouse points at.
    """
    out = output.current()
    space = load_space(file, overrides)
    architecture = space.find(arch)
    if svg is not None:
        _draw(space, architecture, svg, part, folded)
        return
    if part is not None or folded:
        raise click.UsageError("--part and --fold say what --svg draws")
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


def _draw(
    space: Space,
    architecture: Architecture | Outside,
    target: str,
    part: str | None,
    folded: tuple[str, ...],
) -> None:
    """Draw a network; in a part of it, an alternative that was chosen is one box."""
    from nasdsl.graph import parts
    from nasdsl.graph.drawing import draw

    network = architecture.network
    # A cell may have vanished from this network, as one does that is zero everywhere.
    known = {*parts.places(network), *space.program.templates}
    for name in folded:
        if name not in known:
            raise problem("NAS906", f"the space has no part '{name}'{suggestion(name, known)}")
    if part is not None:
        network = parts.part(network, part)
        network = parts.fold_choices(network, architecture.decisions or {})
    text = draw(parts.fold_places(network, folded) if folded else network)
    if target == STREAM:
        click.echo(text)
        return
    write_text(target, text)
    out = output.current()
    if out.as_json:
        out.record({"svg": target})
    else:
        out.remark(f"{target}: written")


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
  nasdsl neighbors space.nas 7712 --explain
"""
)
@click.argument("file")
@click.argument("arch")
@click.option(
    "-n", "count", type=click.IntRange(min=0), metavar="N", help="Draw N of them; all by default."
)
@click.option(
    "--explain", is_flag=True, help="List every edit at every place, and why it does not count."
)
@seeded
@overridable
@output.answers
def neighbors(
    file: str,
    arch: str,
    count: int | None,
    explain: bool,
    seed: int,
    overrides: dict[str, str],
) -> None:
    """List the architectures that one edit leads to, by the file's edit rules.

    With -q only ranks are printed.
    """
    out = output.current()
    space = load_space(file, overrides)
    center = space.find(arch)
    if explain:
        _explain(out, space, center)
        return
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


def _explain(out: output.Output, space: Space, center: Any) -> None:
    from nasdsl.neighborhood import Neighborhood
    from nasdsl.neighborhood.neighborhood import difference

    rows = []
    for verdict in Neighborhood(space).explain(center):
        candidate = verdict.candidate
        changed = difference(center, candidate.subject, candidate.place)
        if out.as_json:
            out.record(
                {
                    "edit": candidate.edit.name,
                    "place": candidate.place,
                    "rank": candidate.subject.rank,
                    "changed": list(changed),
                    "filled": list(candidate.filled),
                    "verdict": verdict.verdict,
                }
            )
            continue
        main = [c for c in changed if c["decision"] not in candidate.filled]
        rows.append(
            (
                candidate.edit.name,
                candidate.place,
                ", ".join(
                    f"{layout.value_text(c['from'])} -> {layout.value_text(c['to'])}"
                    for c in main[:1]
                ),
                layout.rank(candidate.subject.rank),
                verdict.verdict
                + (f"; filled in {', '.join(candidate.filled)}" if candidate.filled else ""),
            )
        )
    if not out.as_json:
        head = ("edit", "place", "changed", "rank", "verdict")
        for line in layout.table(rows, head, left=(0, 1, 2, 4)):
            out.line(line)


@click.command(
    epilog="""\b
Example:
  nasdsl path space.nas 7712 4032
"""
)
@click.argument("file")
@click.argument("start")
@click.argument("end")
@overridable
@output.answers
def path(file: str, start: str, end: str, overrides: dict[str, str]) -> None:
    """Print a shortest way from one architecture to another by the file's edits.

    START and END are ranks, keys or JSON files of architectures in the space.
    """
    from nasdsl.diagnostics import problem
    from nasdsl.neighborhood import Neighborhood
    from nasdsl.neighborhood.path import shortest_path
    from nasdsl.space import Architecture

    out = output.current()
    space = load_space(file, overrides)
    a, b = space.find(start), space.find(end)
    if not isinstance(a, Architecture) or not isinstance(b, Architecture):
        raise problem("NAS348", "a path leads from and to architectures of the space")
    found = shortest_path(Neighborhood(space), a, b)
    if found is None:
        raise problem("NAS349", f"no edits lead from #{a.rank} to #{b.rank}")
    if out.as_json:
        for neighbor in found:
            out.record(neighbor.to_json())
        return
    out.line(f"{len(found)} edit{'' if len(found) == 1 else 's'} from #{a.rank} to #{b.rank}")
    rows = [(n.edit, layout.rank(n.rank), _changes(n)) for n in found]
    for line in layout.table(rows, ("edit", "rank", "changed"), left=(0, 2)):
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
