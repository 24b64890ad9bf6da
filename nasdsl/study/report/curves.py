"""Line charts and strips as SVG texts: values of several networks side by side.

Colors are classes of the style sheet ``curves.css``, so that they follow the reader's light or
dark setting; every network has a shape besides its color.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

HUES = 8
"""Networks that have a color and a shape of their own; further ones repeat them."""


@dataclass(frozen=True, slots=True)
class Line:
    """The values of one network at the places of a chart.

    Attributes:
        label: the network.
        hue: its place among the networks.
        values: one for each place.
        spread: half the length of a bar around each, where there is one.
    """

    label: str
    hue: int
    values: tuple[float, ...]
    spread: tuple[float, ...] | None = None


def chart(
    lines: Sequence[Line],
    places: Sequence[str],
    across: str,
    title: str,
    width: int = 460,
    height: int = 270,
    limits: tuple[float, float] | None = None,
) -> str:
    """Accuracies in percent against places that are evenly apart.

    Args:
        lines: of the networks.
        places: captions of the places, in order.
        across: what the places are.
        title: of the chart, read aloud and shown by a browser that points at it.
        width: in pixels, as is the height.
        height: of the whole.
        limits: least and largest accuracy shown; by default tens around the values.
    """
    small = height < 180
    left, right, top, bottom = (30, 8, 10, 22) if small else (44, 14, 12, 44)
    low, high = limits or bounds(lines)
    step = (width - left - right) / max(1, len(places) - 1)

    def x(place: int) -> float:
        return left + place * step

    def y(value: float) -> float:
        return top + (high - value) / (high - low) * (height - top - bottom)

    parts = [f"<title>{escape(title)}</title>"]
    for tick in ticks(low, high, 2 if small else 5):
        parts.append(
            f'<line class="rule" x1="{left}" x2="{width - right}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text x="{left - 6}" y="{y(tick) + 4:.1f}" '
            f'text-anchor="end">{tick:g}</text>'
        )
    shown = range(len(places)) if not small else (0, len(places) - 1)
    for i in shown:
        parts.append(
            f'<text x="{x(i):.1f}" y="{height - bottom + 16}" text-anchor="middle">'
            f"{escape(places[i])}</text>"
        )
    if not small:
        parts.append(
            f'<text class="name" x="{(left + width - right) / 2:.1f}" y="{height - 6}" '
            f'text-anchor="middle">{escape(across)}</text>'
        )
    for line in lines:
        parts.append(_line(line, places, x, y, 2.6 if small else 4.0))
    return (
        f'<svg class="curve" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def stairs(
    places: Sequence[int],
    values: Sequence[float],
    whole: int,
    across: str,
    title: str,
    width: int = 460,
    height: int = 230,
) -> str:
    """A value that holds until the next place, from 1 to ``whole``.

    Args:
        places: where it changes, rising, as many as ``values``, at least one.
        values: finite, in any unit.
        whole: the last place, at least the last of ``places``.
        across: what the places are.
        title: of the chart, read aloud and shown by a browser that points at it.
        width: in pixels, as is the height.
        height: of the whole.
    """
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or max(1.0, 0.05 * abs(high))
    low, high = low - margin, high + margin
    levels = ticks(low, high, 4)
    said = [f"{level:,.10g}" for level in levels]
    left, right, top, bottom = 14 + 6.5 * max(map(len, said)), 12, 10, 44
    extent = max(1, whole - 1)

    def x(place: float) -> float:
        return left + (place - 1) / extent * (width - left - right)

    def y(value: float) -> float:
        return top + (high - value) / (high - low) * (height - top - bottom)

    parts = [f"<title>{escape(title)}</title>"]
    for level, text in zip(levels, said, strict=True):
        parts.append(
            f'<line class="rule" x1="{left:.1f}" x2="{width - right}" y1="{y(level):.1f}" '
            f'y2="{y(level):.1f}"/><text x="{left - 6:.1f}" y="{y(level) + 4:.1f}" '
            f'text-anchor="end">{text}</text>'
        )
    between = ticks(1, whole, 4) if whole > 1 else []
    counted = sorted({1, whole, *map(round, between)})
    for place in counted:
        # Ends are always said; what stands too near the last is left out.
        if place in (1, whole) or min(x(place) - x(1), x(whole) - x(place)) > 34:
            parts.append(
                f'<text x="{x(place):.1f}" y="{height - bottom + 16}" text-anchor="middle">'
                f"{place:,}</text>"
            )
    parts.append(
        f'<text class="name" x="{(left + width - right) / 2:.1f}" y="{height - 6}" '
        f'text-anchor="middle">{escape(across)}</text>'
    )
    corners = [(x(places[0]), y(values[0]))]
    for place, value in zip(places[1:], values[1:], strict=True):
        corners += [(x(place), corners[-1][1]), (x(place), y(value))]
    corners.append((x(whole), corners[-1][1]))
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    dots = "".join(
        mark(x(p), y(v), 0, 3.0, f"{across}: {p:,}; {v:,.6g}")
        for p, v in zip(places, values, strict=True)
    )
    parts.append(f'<g class="hue0"><polyline points="{path}"/>{dots}</g>')
    return (
        f'<svg class="curve" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def bounds(lines: Sequence[Line]) -> tuple[float, float]:
    """Tens around all values and bars, within 0 and 100."""
    ends = [
        value + sign * (line.spread[i] if line.spread else 0.0)
        for line in lines
        for i, value in enumerate(line.values)
        for sign in (-1, 1)
    ]
    low = max(0.0, 10 * math.floor(min(ends, default=0.0) / 10))
    high = min(100.0, 10 * math.ceil(max(ends, default=100.0) / 10))
    return (low, high) if high > low else (max(0.0, low - 10), min(100.0, low + 10))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, at most one more than ``most``."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _line(
    line: Line,
    places: Sequence[str],
    x: Callable[[int], float],
    y: Callable[[float], float],
    size: float,
) -> str:
    hue = line.hue % HUES
    points = [(x(i), y(value)) for i, value in enumerate(line.values)]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    found = [f'<g class="hue{hue}"><polyline points="{path}"/>']
    for i, (a, b) in enumerate(points):
        if line.spread and line.spread[i]:
            found.append(
                f'<line x1="{a:.1f}" x2="{a:.1f}" y1="{y(line.values[i] - line.spread[i]):.1f}" '
                f'y2="{y(line.values[i] + line.spread[i]):.1f}"/>'
            )
        said = f"{line.label}, {places[i]}: {line.values[i]:.2f} %"
        if line.spread:
            said += f" (spread {line.spread[i]:.2f})"
        found.append(mark(a, b, hue, size, said))
    return "".join(found) + "</g>"


def mark(x: float, y: float, hue: int, size: float, said: str = "") -> str:
    """The shape of a network around a point: a circle, square, triangle, or diamond."""
    told = f"<title>{escape(said)}</title>" if said else ""
    if hue % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}">{told}</circle>'
    corners = {
        1: ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        2: ((0.0, -1.25), (1.15, 0.9), (-1.15, 0.9)),
        3: ((0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)),
    }[hue % 4]
    path = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in corners)
    return f'<polygon points="{path}">{told}</polygon>'


def swatch(hue: int) -> str:
    """The mark of a network, for a legend or the head of a column."""
    return (
        f'<svg class="curve swatch" viewBox="0 0 24 12" aria-hidden="true">'
        f'<g class="hue{hue % HUES}"><polyline points="0,6 24,6"/>{mark(12, 6, hue % HUES, 4)}</g>'
        "</svg>"
    )


def strips(
    rows: Sequence[tuple[str, float | None, Sequence[tuple[str, float]]]],
    title: str,
    width: int = 940,
    each: int = 58,
) -> str:
    """For each network its own accuracy as a line and those of its neighbors as dots.

    Args:
        rows: label, own accuracy, and the neighbors' edits and accuracies.
        title: of the drawing.
        width: in pixels.
        each: height of a row.
    """
    left, right, bottom = 16, 16, 40
    values = [v for _, own, near in rows for v in (own, *(v for _, v in near)) if v is not None]
    low, high = min(values, default=0.0), max(values, default=100.0)
    margin = max(1.0, 0.06 * (high - low))
    low, high = max(0.0, low - margin), min(100.0, high + margin)
    height = each * len(rows) + bottom

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - right)

    parts = [f"<title>{escape(title)}</title>"]
    for tick in ticks(low, high, 8):
        parts.append(
            f'<line class="rule" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="0" '
            f'y2="{height - bottom + 4}"/><text x="{x(tick):.1f}" y="{height - bottom + 20}" '
            f'text-anchor="middle">{tick:g}</text>'
        )
    parts.append(
        f'<text class="name" x="{width / 2:.1f}" y="{height - 4}" text-anchor="middle">'
        "validation accuracy in %</text>"
    )
    for row, (label, own, near) in enumerate(rows):
        middle = row * each + each / 2 + 6
        hue = row % HUES
        parts.append(f'<text class="name" x="{left}" y="{row * each + 14}">{escape(label)}</text>')
        parts.append(f'<g class="hue{hue}">')
        taken: list[tuple[float, int]] = []
        for edit, value in sorted(near, key=lambda n: n[1]):
            lane = _lane(x(value), taken)
            taken.append((x(value), lane))
            offset = (lane + 1) // 2 * (6.5 if lane % 2 else -6.5)
            said = f"{label}, {edit}: {value:.2f} %"
            parts.append(mark(x(value), middle + offset, hue, 3.4, said))
        if near:
            mean = sum(v for _, v in near) / len(near)
            parts.append(
                f'<line class="mean" x1="{x(mean):.1f}" x2="{x(mean):.1f}" '
                f'y1="{middle - 17:.1f}" y2="{middle + 17:.1f}">'
                f"<title>mean of the neighbors: {mean:.2f} %</title></line>"
            )
        if own is not None:
            parts.append(
                f'<line class="own" x1="{x(own):.1f}" x2="{x(own):.1f}" '
                f'y1="{middle - 19:.1f}" y2="{middle + 19:.1f}">'
                f"<title>{escape(label)} itself: {own:.2f} %</title></line>"
            )
        parts.append("</g>")
    return (
        f'<svg class="curve" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def _lane(place: float, taken: Sequence[tuple[float, int]]) -> int:
    """The first of five lanes in which no dot stands too near."""
    near = {lane for other, lane in taken if abs(other - place) < 7}
    return next((lane for lane in range(5) if lane not in near), 0)
