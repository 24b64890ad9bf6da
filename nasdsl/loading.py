"""From a text to its space, with everything there is to say about it.

No torch, but where a condition is on the size of a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasdsl.diagnostics import Diagnostic, DiagnosticError, Source, Span, order, problem
from nasdsl.graph.network import Network
from nasdsl.language.imports import bring_in
from nasdsl.language.overrides import override_lets
from nasdsl.language.parser import parse
from nasdsl.neighborhood import Neighborhood, compile_rules
from nasdsl.neighborhood.never import never
from nasdsl.operations import foreign
from nasdsl.operations.table import OPERATIONS
from nasdsl.space import Space
from nasdsl.space.blocks import read_blocks
from nasdsl.space.resolve import resolve
from nasdsl.space.root import elaborate


@dataclass(frozen=True)
class Analysis:
    """A text worked out: its space where it has one, and everything to say about it."""

    space: Space | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What stops the text from being used."""
        return tuple(d for d in self.diagnostics if d.severity == "error")


def analyze(source: Source, overrides: Mapping[str, str] | None = None) -> Analysis:
    """Work out a text: names, the whole space, edits, constraints and settings.

    Never raises for what stands in a text; mistakes are in ``diagnostics``, in its order.
    """
    read = parse(source)
    if not read.statements and any(p.code == "NAS006" for p in read.problems):
        return Analysis(None, read.problems)
    imported = bring_in(read)
    tree = imported.tree
    if overrides:
        tree = override_lets(tree, overrides)
    program, problems = resolve(tree, OPERATIONS)
    found = [*tree.problems, *problems]
    worked = elaborate(program, OPERATIONS)
    found += worked.problems
    blocks, wrong = read_blocks(program, overrides)
    found += wrong
    found += _settings(blocks)
    space: Space | None = None
    _, wrong, _ = compile_rules(program)
    found += wrong
    sound = not any(d.severity == "error" for d in found)
    if worked.step is not None and worked.output is not None and sound:
        space = Space(
            program,
            worked.step,
            worked.inputs,
            worked.output,
            (),
            worked.operations,
            blocks,
            Neighborhood,
            imported.files,
            _checkpoint_bytes,
        )
        wrong = _tried(space)
        found += wrong
        if not wrong:
            found += never(space)
        space.warnings = tuple(d for d in order(found) if d.severity == "warning")
    ordered = tuple(order(d for d in found if d.code))
    if any(d.severity == "error" for d in ordered):
        space = None
    return Analysis(space, ordered)


def _checkpoint_bytes(network: Network) -> int:
    # Only a condition on it asks, so a text without one is worked out without torch.
    from nasdsl.objectives.memory import checkpoint_size

    return checkpoint_size(network)


def _settings(blocks: Any) -> list[Diagnostic]:
    """Settings against the tables of the rooms that use them; none of these imports torch."""
    from nasdsl.objectives.metrics import read_goal
    from nasdsl.objectives.report_settings import read_report
    from nasdsl.search.table import read_search, unmet
    from nasdsl.training.settings import read_data, read_train

    found: list[Diagnostic] = []
    found += read_train(blocks.train)[1]
    found += read_data(blocks.data)[1]
    found += read_report(blocks.report)[1]
    search, wrong = read_search(blocks.search)
    found += wrong
    if search is not None and blocks.search is not None:
        names = [goal.entry.name for goal in blocks.goals]
        found += unmet(search, names, blocks.search.span)
    for goal in (*blocks.goals, *([blocks.best] if blocks.best else [])):
        found += read_goal(goal.entry)[1]
    return found


def _tried(space: Space) -> list[Diagnostic]:
    """Mistakes that show only on an architecture: in keys and in conditions."""
    first = space[0]  # Whatever leaves nothing to choose has been told, so there is one.
    found: list[Diagnostic] = []
    try:
        _ = first.key
        space.allows(first)
    except DiagnosticError as error:
        found += error.diagnostics
    return found


def read_source(path_or_text: str | Path) -> Source:
    """A text by its path, or a text as it is.

    A string is a path unless it holds a line break or a ``{`` or ``=``. Raises
    :class:`~nasdsl.diagnostics.DiagnosticError` where a file cannot be read.
    """
    if isinstance(path_or_text, str) and any(c in path_or_text for c in "\n={"):
        return Source("<text>", path_or_text)
    path = Path(path_or_text)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise problem("NAS901", f"there is no file '{path}'") from None
    except IsADirectoryError:
        raise problem("NAS902", f"'{path}' is a folder, not a file") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise problem("NAS902", f"'{path}' cannot be read: {why}") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        source = Source(str(path), before + data[error.start :].decode("utf-8", "replace"))
        place = Span(source, len(before), len(before) + 1)
        raise problem("NAS013", "the text is not UTF-8 here", place) from None
    return Source(str(path), text.removeprefix("\ufeff"))


def load(
    path_or_text: str | Path,
    overrides: Mapping[str, str] | None = None,
    allow_python: bool = False,
) -> Space:
    """The space of a file or text.

    ``allow_python`` lets networks be compiled whose operations name Python code (``op … =
    python "module:Name"``), in this process and those it starts; reading never runs code.

    ``overrides`` changes settings and ``let``s, as ``{"search.samples": "200", "C": "8"}``.
    Raises :class:`~nasdsl.diagnostics.DiagnosticError` with everything that is wrong.
    """
    if allow_python:
        foreign.allow()
    analysis = analyze(read_source(path_or_text), overrides)
    if analysis.space is None:
        raise DiagnosticError(analysis.errors)
    return analysis.space


def check(path_or_text: str | Path, overrides: Mapping[str, str] | None = None) -> list[Diagnostic]:
    """Everything to say about a file or text, in its order; empty means all is well."""
    try:
        source = read_source(path_or_text)
    except DiagnosticError as error:
        return list(error.diagnostics)
    return list(analyze(source, overrides).diagnostics)
