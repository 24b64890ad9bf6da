"""What every reader gives, and how it says that a file cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from nasdsl.diagnostics import DiagnosticError, Note, Span, problem

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """Samples as read, before they are split.

    Arrays are as in :class:`nasdsl.training.data.dataset.Split`; ``test`` is the data's own
    test set, where it has one.
    """

    x: Array
    y: Array
    classes: tuple[str, ...]
    test: tuple[Array, Array] | None = field(default=None)


def missing(path: Path, wanted: str, span: Span | None, *hints: str) -> DiagnosticError:
    """The file or folder is not there."""
    return problem("NAS701", f"no {wanted} at {path}", span, *(Note(hint) for hint in hints))


def unreadable(path: Path, reason: str, span: Span | None, *hints: str) -> DiagnosticError:
    """The file is there and is not what it should be."""
    return problem("NAS702", f"cannot read {path}: {reason}", span, *(Note(hint) for hint in hints))


def class_names(y: Array, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The names given, or the numbers 0..max."""
    if names:
        return names
    return tuple(str(i) for i in range(int(y.max()) + 1)) if y.size else ()
