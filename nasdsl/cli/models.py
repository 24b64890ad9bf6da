"""Verbs about one network: ``compile`` writes it as Python, ``score`` measures it."""

from __future__ import annotations

import click

from nasdsl.cli import layout, output
from nasdsl.cli.arguments import load_space, overridable, seeded
from nasdsl.cli.files import STDIN, write_text


@click.command(
    "compile",
    epilog="""\b
ARCH is a rank, a key of the space, or a JSON file.
\b
Examples:
  nasdsl compile space.nas 7712 -o model.py
  nasdsl compile space.nas best/architecture.json | less
""",
)
@click.argument("file")
@click.argument("arch")
@click.option(
    "-o", "target", default=STDIN, metavar="FILE", help="Where to write; standard output if absent."
)
@overridable
@output.answers
def compile_command(file: str, arch: str, target: str, overrides: dict[str, str]) -> None:
    """Write one architecture as a Python file that needs only torch.

    Its build() gives the module; weights saved by a run load into it.
    """
    out = output.current()
    architecture = load_space(file, overrides).find(arch)
    from nasdsl.compiler.source import to_source

    source = to_source(architecture.network)
    if out.as_json:
        record = {
            "file": None if target == STDIN else target,
            "fingerprint": architecture.fingerprint,
            "params": architecture.params,
            "macs": architecture.macs,
        }
        if target == STDIN:
            record["source"] = source
        else:
            write_text(target, source)
        out.record(record)
    elif target == STDIN:
        click.echo(source, nl=False)
    else:
        write_text(target, source)
        out.remark(f"{target}: {layout.number(architecture.params)} parameters")
