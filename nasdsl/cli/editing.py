"""Verbs for writing texts: ``init`` and ``lsp``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from nasdsl.cli import output
from nasdsl.cli.files import STREAM, write_text
from nasdsl.diagnostics import problem


@click.command(
    epilog="""\b
Examples:
  nasdsl init                    write space.nas
  nasdsl init digits.nas
  nasdsl init - | less           look at it only
"""
)
@click.argument("file", default="space.nas")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@output.answers
def init(file: str, force: bool) -> None:
    """Write a first file to start from, its parts explained by comments.

    It is complete: 'nasdsl run' searches it on the digits that come with nasdsl.
    """
    from nasdsl import editor

    out = output.current()
    text = (Path(editor.__file__).parent / "template.nas").read_text(encoding="utf-8")
    if file == STREAM:
        click.echo(text, nl=False)
        return
    if Path(file).exists() and not force:
        raise problem("NAS907", f"'{file}' is there already; --force writes over it")
    name = re.sub(r"\W", "_", Path(file).stem, flags=re.ASCII)
    named = re.sub(r"^_*(?=\d)", "space_", name) or "my_space"
    write_text(file, text.replace("space my_space", f"space {named}", 1).replace("FILE", file))
    if out.as_json:
        out.record({"file": file})
    else:
        out.remark(f"{file}: written; next: nasdsl check {file}, then nasdsl run {file}")


@click.command(
    epilog="""\b
Example:
  nasdsl lsp                     what an editor starts; see docs/editors.md
"""
)
@click.option("--stdio", is_flag=True, help="What editors add; there is no other way.")
@output.answers
def lsp(stdio: bool) -> None:
    """Serve an editor over standard input and output (Language Server Protocol).

    Mistakes as you type, what is under the cursor, completion, definitions, renaming and
    formatting. Needs the extra: pip install 'nasdsl[lsp]'.
    """
    del stdio
    try:
        from nasdsl.editor.server import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        missing = f"the language server needs '{error.name}': pip install 'nasdsl[lsp]'"
        raise problem("NAS905", missing) from None
    serve()
