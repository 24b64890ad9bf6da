"""The verb ``search``: which searchers there are."""

from __future__ import annotations

import click

from nasdsl.cli import layout, output


@click.command(
    epilog="""\b
Examples:
  nasdsl search --list
  nasdsl search surrogate nsga2
  nasdsl search --list --json
"""
)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="All searchers; what no NAME means, too.")
@output.answers
def search(names: tuple[str, ...], listed: bool) -> None:
    """List the searchers that a file's search may name, or describe those named.

    Those of installed packages are among them. Goals: what steers a searcher is none of the
    file's goals, one (its best, else its first), all of them, or a measure of its own. With a
    NAME or -v the settings are shown with their defaults. 'nasdsl run FILE' runs a search.
    """
    from nasdsl.diagnostics import Diagnostic, DiagnosticError, Note, suggestion
    from nasdsl.search import table
    from nasdsl.space.values import shown

    out = output.current()
    every = table.names()
    for name in names:
        if name not in every:
            note = Note(f"there are: {', '.join(every)}")
            message = f"'{name}' is not a searcher{suggestion(name, every)}"
            raise DiagnosticError([Diagnostic("NAS410", message, notes=(note,))])
    kinds = []
    for name in every if listed or not names else names:
        try:
            kinds.append(table.lookup(name))
        except DiagnosticError as error:
            if name in names:
                raise
            # A broken package must not keep the others from being listed.
            out.diagnostics(error.diagnostics)
    chosen = [kind for kind in kinds if kind is not None]
    if out.as_json:
        for kind in chosen:
            out.record(kind.to_json())
        return
    rows = [(kind.name, kind.goals, kind.item.doc) for kind in chosen]
    first, *lines = layout.table(rows, ("searcher", "goals", "what it does"), left=range(3))
    out.line(first)
    for kind, line in zip(chosen, lines, strict=True):
        out.line(line)
        if not out.verbose and not names:
            continue
        for option in kind.to_json()["options"]:
            value = "required" if option["required"] else shown(option["default"])
            value = "none" if option["default"] is None and not option["required"] else value
            among = f" ({', '.join(option['values'])})" if option["values"] else ""
            for text in layout.wrapped(f"{option['name']} {value}: {option['doc']}{among}", "    "):
                out.line(text)
