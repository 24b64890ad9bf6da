"""What a name may stand for, and where a run is: values beyond numbers, scopes, paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nasdsl.language import syntax as s

COPY = "\x01"
"""Marks the index of a copy in a path, which is no index of a node or name; never shown."""


@dataclass(frozen=True)
class Label:
    """An alternative as a value."""

    choice: str
    name: str


@dataclass(eq=False)
class Module:
    """A module as a value: an expression with its environment."""

    expr: s.Expr
    env: Env


@dataclass
class Env:
    """Names in scope, and how deep each recursive choice is in itself."""

    values: dict[str, Any]
    levels: dict[str, int] = field(default_factory=dict)
    cin: int | None = None

    def bind(self, name: str, value: Any) -> Env:
        return Env({**self.values, name: value}, self.levels, self.cin)


@dataclass(frozen=True)
class Place:
    """Where we are: the path of names, and indices of copies that wait for the next name."""

    path: str = ""
    copies: str = ""

    def named(self, name: str) -> Place:
        return Place(_join(self.path, name + self.copies))

    def copy(self, index: Any) -> Place:
        return Place(self.path, f"{self.copies}{COPY}[{shown(index)}]")

    def decision(self, name: str = "") -> str:
        return _join(self.path, name + self.copies) if name else self.path + self.copies


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def shown(value: Any) -> str:
    """A value as it stands in a path."""
    if isinstance(value, tuple):
        return ",".join(shown(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
