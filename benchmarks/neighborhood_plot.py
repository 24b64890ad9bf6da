"""A drawing of what estimates of a neighborhood are worth at what price."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

COLORS = ("#1f5fa8", "#c0562b", "#3a8a4d", "#8a4d9e", "#7a6a2f")
MEASURES = {"mean": "Kendall's tau of the mean", "drop": "Kendall's tau of the drop"}
LEFT, TOP, WIDTH, HEIGHT, GAP = 46, 30, 250, 230, 50
TICKS = (1, 2, 3, 5, 9, 25)


def drawing(
    rows: Sequence[Mapping[str, Any]], lines: Mapping[str, str], levels: Mapping[str, str]
) -> str:
    """An SVG of two panels, the mean and the drop: tau against the price.

    Args:
        rows: what was measured.
        lines: how each estimator that is drawn is called, by its name in the rows.
        levels: how each row that is a level to compare with is called, by the start of its name.
    """
    width = LEFT + 2 * WIDTH + GAP + 14
    height = TOP + HEIGHT + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11" role="img" '
        'aria-label="Kendall\'s tau of estimated neighborhoods against their price">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    values = [row[key] for row in rows for key in MEASURES if row[key] is not None]
    low = min(0.0, math.floor(5 * min(values)) / 5)
    for panel, (key, title) in enumerate(MEASURES.items()):
        parts += _panel(rows, lines, levels, key, title, LEFT + panel * (WIDTH + GAP), low)
    for at, label in enumerate(lines.values()):
        x = LEFT + 118 * at
        parts.append(
            f'<rect x="{x}" y="{height - 16}" width="12" height="10" fill="{COLORS[at]}"/>'
            f'<text x="{x + 18}" y="{height - 7}">{escape(label)}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(
    rows: Sequence[Mapping[str, Any]],
    lines: Mapping[str, str],
    levels: Mapping[str, str],
    key: str,
    title: str,
    left: float,
    low: float,
) -> list[str]:
    bottom = TOP + HEIGHT

    def x(price: float) -> float:
        return left + WIDTH * math.log(price) / math.log(TICKS[-1])

    def y(value: float) -> float:
        return TOP + HEIGHT * (1 - value) / (1 - low)

    parts = [f'<text x="{left}" y="{TOP - 12}" font-weight="bold">{escape(title)}</text>']
    for step in range(round(5 * low), 6):
        at = y(step / 5)
        parts.append(
            f'<line x1="{left}" x2="{left + WIDTH}" y1="{at:.1f}" y2="{at:.1f}" '
            f'stroke="#dddddd"/><text x="{left - 6}" y="{at + 4:.1f}" '
            f'text-anchor="end">{step / 5:.1f}</text>'
        )
    parts += [
        f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick}x</text>'
        for tick in TICKS
    ]
    for start, label in levels.items():
        for row in rows:
            if row["estimator"].startswith(start) and row[key] is not None:
                at = y(row[key])
                parts.append(
                    f'<line x1="{left}" x2="{left + WIDTH}" y1="{at:.1f}" y2="{at:.1f}" '
                    'stroke="#666666" stroke-dasharray="4 3"/>'
                    f'<text x="{left + WIDTH}" y="{at - 4:.1f}" text-anchor="end" '
                    f'fill="#666666">{escape(label)}</text>'
                )
    for color, name in zip(COLORS, lines, strict=False):
        points = sorted(
            (row["price"], row[key])
            for row in rows
            if row["estimator"] == name and row[key] is not None
        )
        along = " ".join(f"{x(price):.1f},{y(value):.1f}" for price, value in points)
        parts.append(
            f'<polyline points="{along}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        )
        parts += [
            f'<circle cx="{x(price):.1f}" cy="{y(value):.1f}" r="2.5" fill="{color}"/>'
            for price, value in points
        ]
    return parts
