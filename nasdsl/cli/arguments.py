"""Arguments and options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nasdsl.cli import output

if TYPE_CHECKING:
    from nasdsl.space import Space

F = TypeVar("F", bound=Callable[..., Any])


def _overrides(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    values = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter(f"expected key=value, found '{text}'")
        values[key.strip()] = value.strip()
    return values


def overridable(command: F) -> F:
    """The option ``--set key=value``, which may be repeated."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        callback=_overrides,
        help="Override a setting of the file, e.g. search.samples=200. Repeatable.",
    )(command)


def seeded(command: F) -> F:
    """The option ``--seed``."""
    return click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draw.")(
        command
    )


def _allow(_: click.Context, __: click.Parameter, allowed: bool) -> None:
    if allowed:
        from nasdsl.operations import foreign

        foreign.allow()


def trusting(command: F) -> F:
    """The option ``--allow-python``."""
    return click.option(
        "--allow-python",
        is_flag=True,
        expose_value=False,
        callback=_allow,
        help="Import the Python code that the file's own operations name.",
    )(command)


def load_space(file: str, overrides: dict[str, str]) -> Space:
    """The space of a file; its warnings go to standard error."""
    import nasdsl

    space = nasdsl.load(Path(file), overrides)
    output.current().warnings(space.warnings)
    return space
