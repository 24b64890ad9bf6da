"""Operations that installed packages offer by entry point."""

from __future__ import annotations

from functools import cache

from nasdsl.diagnostics import problem

GROUP = "nasdsl.operations"


@cache
def load() -> tuple[str, ...]:
    """Import the modules of the group ``nasdsl.operations``, once; the names that were found.

    A package that cannot be imported is reported as a diagnostic that names it.
    """
    # Reading the metadata of every installed package takes longer than a check, so only a name
    # that nobody knows comes here.
    from importlib.metadata import entry_points

    found = []
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:  # whatever another package's import raises
            raise problem(
                "NAS803", f"the operations of '{point.name}' ({point.value}) do not load: {error}"
            ) from error
        found.append(point.name)
    return tuple(found)
