"""One objective as the page knows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Aim:
    """One objective of the file: name, direction, unit and definition."""

    name: str
    maximize: bool
    unit: str = ""
    definition: str = ""
