"""Text for a terminal of 80 columns: numbers, tables, wrapped lists."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH = 80


def number(value: float | None) -> str:
    """A number for reading: thousands apart, at most four digits after the point."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return _whole(value)
    return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) >= 1e-3 else f"{value:.3g}"


def _whole(value: int) -> str:
    if abs(value) < 10**15:
        return f"{value:,}"
    digits = str(abs(value))
    if len(digits) > 300:  # beyond what a float holds
        short = f"{'-' if value < 0 else ''}{digits[0]}.{digits[1:3]}e+{len(digits) - 1}"
    else:
        short = f"{value:.2e}"
    return f"{value:,} ({short})" if len(digits) <= 40 else short


def rank(value: int | None) -> str:
    """``#7712``; the middle of a rank too long for a column is left out."""
    if value is None:
        return "outside"
    digits = str(value)
    return f"#{digits}" if len(digits) <= 12 else f"#{digits[:5]}…{digits[-5:]}"


def bounds(bound: Mapping[str, Any]) -> str:
    """``{min, max, exact}`` as a range; one that is not exact says so."""
    low, high = bound["min"], bound["max"]
    text = number(low) if low == high else f"{number(low)} to {number(high)}"
    return text if bound.get("exact", True) else f"{text} (bounds, not reached for certain)"


def table(
    rows: Iterable[Sequence[str]], head: Sequence[str], left: Iterable[int] = ()
) -> list[str]:
    """Lines of a table, columns two spaces apart; numbers stand right, ``left`` columns left.

    The last column is cut where it would pass the width of the terminal.
    """
    body = [list(head), *(list(row) for row in rows)]
    aligned_left = set(left)
    widths = [max(len(row[column]) for row in body) for column in range(len(head))]
    lines = []
    for row in body:
        cells = [
            cell.ljust(width) if column in aligned_left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(cut("  ".join(cells).rstrip()))
    return lines


def fields(pairs: Iterable[tuple[str, str]], indent: str = "  ") -> list[str]:
    """Lines of names and values, the values under each other, long ones wrapped."""
    pairs = list(pairs)
    width = max((len(name) for name, _ in pairs), default=0) + 2
    lines = []
    for name, value in pairs:
        lines += wrapped(value or "-", f"{indent}{name:{width}}", " " * (len(indent) + width))
    return lines


def decisions(values: Mapping[str, Any], indent: str = "    ") -> list[str]:
    """Lines that list decisions as ``name = value``."""
    shown = [f"{name} = {value_text(value)}" for name, value in values.items()]
    return wrapped(", ".join(text.replace(" ", "\N{NO-BREAK SPACE}") for text in shown), indent)


def wrapped(text: str, indent: str = "", further: str | None = None) -> list[str]:
    """A text in lines; where a no-break space stands, no line ends.

    ``further`` is the indent of all lines but the first.
    """
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if further is None else further,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def value_text(value: Any) -> str:
    """A decision's value as it would be written in a text; ``None`` is one that is not made."""
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "{" + ", ".join(value_text(part) for part in value) + "}"
    return str(value)


def cut(line: str) -> str:
    """A line that fits, its end replaced where it does not."""
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
