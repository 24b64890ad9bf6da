"""Verbs about the text itself: ``check`` and ``fmt``."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click

from nasdsl.cli import output
from nasdsl.cli.arguments import overridable
from nasdsl.cli.files import STREAM, write_text
from nasdsl.diagnostics import Diagnostic, DiagnosticError, Source, errors, problem


@click.command(
    epilog="""\b
Examples:
  nasdsl check space.nas
  nasdsl check spaces/*.nas --json
"""
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@overridable
@output.answers
def check(files: tuple[str, ...], overrides: dict[str, str]) -> int:
    """Check files: syntax, names, types, shapes, settings.

    Nothing is trained and torch is not loaded. The exit code is 1 if there is an error;
    warnings alone leave it at 0.
    """
    from nasdsl.api import check

    out = output.current()
    found: list[Diagnostic] = []
    sound = []
    for file in files:
        try:
            of_file = check(file, overrides)
        except DiagnosticError as error:
            of_file = list(error.diagnostics)
        found += of_file
        if not errors(of_file):
            sound.append((file, len(of_file)))
    if out.as_json or found:
        shown = errors(found) if out.quiet and not out.as_json else found
        out.diagnostics(shown, sys.stdout)
    if not out.as_json and not out.quiet:
        for file, warnings in sound:
            out.line(f"{file}: {_verdict(warnings)}")
    return 1 if errors(found) else 0


def _verdict(warnings: int) -> str:
    if not warnings:
        return "ok"
    return f"ok, with {warnings} warning{'s' if warnings > 1 else ''}"


@click.command(
    epilog="""\b
Examples:
  nasdsl fmt space.nas                 rewrite the file
  nasdsl fmt --check --diff *.nas      show what would change
  nasdsl fmt - < space.nas             from standard input to standard output
"""
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 on a change.")
@click.option("--diff", is_flag=True, help="Write nothing; print the change.")
@output.answers
def fmt(files: tuple[str, ...], only_check: bool, diff: bool) -> int:
    """Write files in the one standard form.

    Comments stay, and the meaning does. A file with a syntax error is left as it is.
    """
    from nasdsl.language.format import format_text

    out = output.current()
    changed = 0
    problems: list[Diagnostic] = []
    for file in files:
        try:
            before = _source(file)
            after = format_text(before.text, before.name)
        except DiagnosticError as error:
            problems += error.diagnostics
            continue
        different = after != before.text
        changed += different
        if out.as_json:
            out.record({"file": before.name, "changed": different})
        if diff and different and not out.as_json:
            out.line("".join(_difference(before.name, before.text, after)).rstrip("\n"))
        if only_check or diff:
            if different and not diff and not out.as_json:
                out.line(f"{before.name}: would be reformatted")
        elif file == STREAM:
            if not out.as_json:
                click.echo(after, nl=False)
        elif different:
            write_text(file, after)
            if not out.as_json:
                out.remark(f"{file}: reformatted")
    if problems:
        out.diagnostics(problems)
    return 1 if problems or (only_check and changed) else 0


def _source(file: str) -> Source:
    from nasdsl.loading import read_source

    if file != STREAM:
        return read_source(Path(file))
    try:
        return Source("<stdin>", sys.stdin.buffer.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise problem("NAS013", f"standard input is not UTF-8: {error.reason}") from None


def _difference(name: str, before: str, after: str) -> list[str]:
    return list(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            f"{name} (before)",
            f"{name} (after)",
        )
    )
