"""Verbs about one network: ``compile`` writes it into a file, ``score`` measures it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasdsl.cli import layout, output
from nasdsl.cli.arguments import load_space, overridable, seeded, trusting
from nasdsl.cli.files import STREAM, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasdsl.graph.network import Network
    from nasdsl.space import Architecture, Space
    from nasdsl.space.outside import Outside
    from nasdsl.study.scoring import Assessment

BINARY = (".pt2", ".onnx")
"""Endings of files that are not text."""


@click.command(
    "compile",
    epilog="""\b
ARCH is a rank, a key of the space, or a JSON file.
\b
Examples:
  nasdsl compile space.nas 7712 -o model.py
  nasdsl compile space.nas 7712 -o m.onnx --weights weights.safetensors
  nasdsl compile space.nas best/architecture.json | less
""",
)
@click.argument("file")
@click.argument("arch")
@click.option(
    "-o",
    "target",
    default=STREAM,
    metavar="FILE",
    help="Where to write; standard output if absent. An ending .pt2 or .onnx gives such a file.",
)
@click.option(
    "--weights",
    metavar="FILE",
    help="Weights for a .pt2 or .onnx file, as a run saves them; fresh ones if absent.",
)
@trusting
@overridable
@output.answers
def compile_command(
    file: str, arch: str, target: str, weights: str | None, overrides: dict[str, str]
) -> None:
    """Write one architecture as a Python file that needs only torch, or in a binary format.

    The build() of the Python file gives the module; weights saved by a run load into it. A
    .pt2 file is for torch.export.load, an .onnx file for any ONNX runtime (it needs the extra
    'export'); both hold the weights, compute as in evaluation and take any batch.
    """
    out = output.current()
    ending = Path(target).suffix
    if weights is not None and ending not in BINARY:
        raise click.UsageError(f"--weights needs -o FILE ending in {' or '.join(BINARY)}")
    architecture = load_space(file, overrides).find(arch)
    if ending in BINARY:
        _write_binary(architecture.network, target, weights)
        if out.as_json:
            out.record(_record(architecture, target))
        else:
            out.remark(f"{target}: {layout.number(architecture.params)} parameters")
        return
    from nasdsl.compiler.source import to_source

    source = to_source(architecture.network)
    if out.as_json:
        record = _record(architecture, target)
        if target == STREAM:
            record["source"] = source
        else:
            write_text(target, source)
        out.record(record)
    elif target == STREAM:
        click.echo(source, nl=False)
    else:
        write_text(target, source)
        out.remark(f"{target}: {layout.number(architecture.params)} parameters")


def _record(architecture: Architecture | Outside, target: str) -> dict[str, Any]:
    return {
        "file": None if target == STREAM else target,
        "fingerprint": architecture.fingerprint,
        "params": architecture.params,
        "macs": architecture.macs,
    }


def _write_binary(network: Network, target: str, weights: str | None) -> None:
    from nasdsl.compiler import compile_network
    from nasdsl.compiler.export import FORMATS, load_weights

    module = compile_network(network)
    if weights is not None:
        load_weights(module, weights)
    FORMATS[Path(target).suffix](module, target)


@click.command(
    epilog="""\b
ARCH is a rank, a key of the space, or a JSON file.
\b
Examples:
  nasdsl score space.nas 7712
  nasdsl score space.nas 7712 --metric params --metric 'flatness.weights(M=5)'
  nasdsl score space.nas 7712 40 --report compared.html --neighbors 6
"""
)
@click.argument("file")
@click.argument("archs", metavar="ARCH...", nargs=-1, required=True)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="A metric as written in a file; repeatable. Those of the file's objectives by default.",
)
@click.option(
    "--report",
    "page",
    metavar="OUT.html",
    help="Draw the networks side by side: accuracy against severity, epsilon and sigma.",
)
@click.option(
    "--neighbors",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Neighbors of each network to train for the report.",
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@seeded
@trusting
@overridable
@output.answers
def score(
    file: str,
    archs: tuple[str, ...],
    metrics: tuple[str, ...],
    page: str | None,
    neighbors: int,
    device: str,
    seed: int,
    overrides: dict[str, str],
) -> int:
    """Train architectures as the file says, and measure them.

    With the seed of a run this gives the values that the run records. Metrics that need no
    training train nothing. A metric that fails takes no other with it: it is told, and the exit
    code is 1. With -v each metric's definition is printed.

    What --report draws is what the file's report { ... } asks for; without one, corruptions,
    two attacks and noisy weights on 500 validation images.
    """
    if neighbors and page is None:
        raise click.UsageError("--neighbors needs --report, which draws them")
    out = output.current()
    space = load_space(file, overrides)
    found = [space.find(arch) for arch in archs]
    from nasdsl.study.scoring import Scorer, asking

    scorer = Scorer(
        asking(space, metrics),
        seed,
        device,
        str(Path(file).parent),
        profiled=page is not None,
        neighbors=neighbors,
    )
    assessed = []
    for name, architecture in zip(archs, found, strict=True):
        if page is not None and not out.as_json:
            out.remark(f"{name}: training and measuring")
        assessed.append((name, scorer.assess(architecture)))
        _tell(*assessed[-1], several=len(archs) > 1)
    if page is not None:
        _draw(page, space, assessed, seed, device)
    return _failures(assessed)


def _tell(name: str, assessed: Assessment, several: bool) -> None:
    """The scores of one network."""
    out = output.current()
    if out.as_json:
        for score in assessed.scores:
            out.record({"arch": name, **score.to_json()})
        return
    rows = [
        (
            score.metric,
            "failed"
            if score.value is None
            else f"{layout.number(score.value)} {score.unit}".rstrip(),
            "-" if score.spread is None else layout.number(score.spread),
            f"{score.seconds:.2f}",
        )
        for score in assessed.scores
    ]
    first, *lines = layout.table(rows, ("metric", "value", "spread", "seconds"), left=(0,))
    if several:
        out.line(name)
    out.line(first)
    for score, line in zip(assessed.scores, lines, strict=True):
        out.line(line)
        if out.verbose:
            for text in layout.wrapped(score.definition, "    "):
                out.line(text)


def _draw(
    page: str,
    space: Space,
    assessed: Sequence[tuple[str, Assessment]],
    seed: int,
    device: str,
) -> None:
    """The page of ``--report``."""
    from nasdsl.study.report.comparison import comparison

    settings = {
        "data": "defaults" if space.data is None else space.data.source(),
        "train": ", ".join(entry.source() for entry in space.train) or "defaults",
        "seed": str(seed),
        "device": device,
    }
    write_text(page, comparison(space.name, space.doc, assessed, settings))
    out = output.current()
    if not out.as_json:
        out.remark(f"{page}: {len(assessed)} network{'' if len(assessed) == 1 else 's'}")


def _failures(assessed: Sequence[tuple[str, Assessment]]) -> int:
    """Tells which metrics failed, and why; the exit code."""
    from nasdsl.diagnostics import Diagnostic

    out = output.current()
    wrong = [
        Diagnostic(
            "NAS650",
            f"{score.metric} of {name} could not be measured: "
            f"{(score.reason or '').removeprefix('error: ').removeprefix(f'{score.metric}: ')}",
        )
        for name, found in assessed
        for score in found.scores
        if score.value is None
    ]
    wrong += [
        Diagnostic("NAS650", f"the profile of {name} could not be measured: {found.reason}")
        for name, found in assessed
        if found.reason is not None
    ]
    if not wrong:
        return 0
    out.diagnostics(wrong)
    if out.verbose:
        for detail in dict.fromkeys(found.detail for _, found in assessed if found.detail):
            out.remark(detail)
    return 1


@click.command(
    epilog="""\b
Examples:
  nasdsl metrics
  nasdsl metrics proxy.snip latency
  nasdsl metrics --json
"""
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@output.answers
def metrics(names: tuple[str, ...]) -> None:
    """List what can be measured: all metrics, or the definitions of those named.

    With -v each metric's definition and source are printed.
    """
    from nasdsl.diagnostics import Note, problem, suggestion
    from nasdsl.objectives.metrics import METRICS, load_plugins

    out = output.current()
    if broken := load_plugins():
        out.diagnostics(broken)
    for name in names:
        if name not in METRICS:
            raise problem(
                "NAS711",
                f"'{name}' is not a metric{suggestion(name, METRICS)}",
                None,
                Note(f"known: {', '.join(METRICS)}"),
            )
    chosen = [METRICS[name] for name in names or METRICS]
    if out.as_json:
        for metric in chosen:
            out.record(metric.to_json())
        return
    rows = [(m.name, m.unit or "-", m.direction, m.cost, m.split) for m in chosen]
    first, *lines = layout.table(
        rows, ("metric", "unit", "better", "cost", "samples"), left=range(5)
    )
    out.line(first)
    for metric, line in zip(chosen, lines, strict=True):
        out.line(line)
        if out.verbose or names:
            source = f" Source: {metric.source}." if metric.source else ""
            for text in layout.wrapped(metric.definition + source, "    "):
                out.line(text)
