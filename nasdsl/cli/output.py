"""Where a command writes: records or text to standard output, remarks to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO, TypeVar

import click

from nasdsl.diagnostics import Diagnostic, render

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Output:
    """How the user wants to be answered, gathered from the options of one call.

    ``-q`` and ``-v`` may stand before the verb or after it, so they are collected here while
    the options are read.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def record(self, record: Mapping[str, Any]) -> None:
        """One JSON object on a line of standard output."""
        click.echo(json_text(record))

    def line(self, text: str = "") -> None:
        """One line of text on standard output."""
        click.echo(text)

    def remark(self, text: str) -> None:
        """One line on standard error, unless the user asked for quiet."""
        if not self.quiet:
            click.echo(text, err=True)

    def diagnostics(self, found: Iterable[Diagnostic], stream: TextIO | None = None) -> None:
        """Diagnostics for a person, or as one object ``{"diagnostics": [...]}`` for a program."""
        stream = sys.stderr if stream is None else stream
        found = list(found)
        if self.as_json:
            record = {"diagnostics": [diagnostic.record() for diagnostic in found]}
            click.echo(json_text(record), file=stream)
            return
        color = colored(stream)
        for diagnostic in found:
            click.echo(render(diagnostic, color=color), file=stream, color=color)

    def warnings(self, found: Iterable[Diagnostic]) -> None:
        """Warnings about a text that is otherwise fine: on standard error, for a person only."""
        if not self.quiet and not self.as_json:
            self.diagnostics(found)


def current() -> Output:
    """The output of the command that is running."""
    return click.get_current_context().ensure_object(Output)


def json_text(record: Mapping[str, Any]) -> str:
    """One line of strict JSON.

    ASCII only, so that it passes through any terminal and pipe; a NaN would not be JSON and
    raises ``ValueError``, because values are gated long before they are printed.
    """
    return json.dumps(record, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not plain data")


def colored(stream: TextIO) -> bool:
    """Whether to color: on a terminal that can, unless ``NO_COLOR`` is set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _store(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            setattr(context.ensure_object(Output), name, True)

    return callback


def verbosity(command: F) -> F:
    """The options ``-q`` and ``-v``."""
    for letter, name, text in (
        ("-v", "verbose", "Say more."),
        ("-q", "quiet", "Print results only: no progress, no warnings."),
    ):
        command = click.option(
            letter,
            f"--{name}",
            is_flag=True,
            expose_value=False,
            callback=_store(name),
            help=text,
        )(command)
    return command


def answers(command: F) -> F:
    """The options that every verb takes: ``--json``, ``-q`` and ``-v``."""
    return verbosity(
        click.option(
            "--json",
            is_flag=True,
            expose_value=False,
            callback=_store("as_json"),
            help="Print JSON, as described in docs/cli.md.",
        )(command)
    )
