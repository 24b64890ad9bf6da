"""What the studies and their pages share: options, files of figures, intervals, tables, plots."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t as student

Figures = Mapping[str, Any]

ROOT = Path(__file__).resolve().parents[2]


def options(doc: str | None, seeds: int, of: str, quick: str) -> argparse.ArgumentParser:
    """The options that every study has.

    Args:
        doc: of the study; its first line describes the command.
        seeds: how many there are by default.
        of: what a seed is one of.
        quick: what ``--quick`` runs.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument(
        "--seeds", type=int, default=seeds, metavar="N", help=f"{of} (default {seeds})"
    )
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument(
        "--data",
        type=Path,
        default=data_folder(),
        metavar="FOLDER",
        help="folder of the data (default %(default)s)",
    )
    return parser


def data_folder() -> Path:
    """NASDSL_DATA, else ``../shared/data`` beside the project."""
    named = os.environ.get("NASDSL_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def missing(folder: Path, names: Iterable[str]) -> list[str]:
    """The files that the folder lacks."""
    return [name for name in names if not (folder / name).is_file()]


def check(parser: argparse.ArgumentParser, given: argparse.Namespace, files: Iterable[str]) -> None:
    """Ends the program where the command asks for what cannot be run without these files."""
    if given.seeds < 1:
        parser.error("--seeds must be at least 1")
    if lacking := missing(given.data, files):
        parser.error(f"{given.data} lacks {', '.join(lacking)}; name the folder with --data")


def write_json(path: Path | None, figures: Figures) -> None:
    """Writes figures, whole or not at all; nothing without a path."""
    if path is not None:
        beside = path.with_name(path.name + ".new")
        beside.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        os.replace(beside, path)


def earlier(path: Path | None, settings: Figures) -> Figures:
    """The figures that a file holds, where they are of the same settings; else none."""
    if path is None or not path.is_file():
        return {}
    found: Figures = json.loads(path.read_text(encoding="utf-8"))
    # As JSON has it a tuple is a list.
    same = json.loads(json.dumps(settings))
    return found if all(found.get(key) == value for key, value in same.items()) else {}


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % limits by Student's t; infinite limits for a single value."""
    mean, n = fmean(values), len(values)
    if n < 2:
        return mean, -math.inf, math.inf
    half = float(student.ppf(0.975, n - 1)) * stdev(values) / math.sqrt(n)
    return mean, mean - half, mean + half


def shown(values: Sequence[float], sign: str = "", digits: int = 2) -> str:
    """A mean with its interval, ``88.10 [86.20, 90.00]``."""
    mean, low, high = interval(values)
    text = f"{mean:{sign},.{digits}f}"
    if math.isinf(low):
        return text
    return f"{text} [{low:{sign},.{digits}f}, {high:{sign},.{digits}f}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def svg(width: float, height: float, label: str, parts: Iterable[str]) -> str:
    """A drawing on white ground; ``label`` is what is read aloud."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'font-family="sans-serif" font-size="11" role="img" aria-label="{label}">',
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def rule(left: float, right: float, y: float, text: str, color: str = "#dddddd") -> str:
    """A level line with its value at its left end."""
    return (
        f'<line x1="{left:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="{color}"/>'
        f'<text x="{left - 6:g}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    )


def polyline(points: Iterable[tuple[float, float]], color: str, style: str = "") -> str:
    """A line through points."""
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{drawn}" fill="none" stroke="{color}"{style}/>'


def swatch(x: float, y: float, color: str, text: str) -> str:
    """An entry of a legend, ``y`` the line its text stands on."""
    return (
        f'<rect x="{x:g}" y="{y - 9:g}" width="12" height="10" fill="{color}"/>'
        f'<text x="{x + 18:g}" y="{y:g}">{text}</text>'
    )


def write_page(
    name: str,
    doc: str | None,
    page: Callable[..., str],
    drawing: Callable[..., str],
    several: bool = False,
) -> None:
    """The command of a page: reads figures, and writes ``name.md`` and ``name.svg``.

    ``page`` and ``drawing`` take the figures, with ``several`` those of one file or more.
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument(
        "figures",
        type=Path,
        nargs="+" if several else 1,
        help="the file that --json of the study wrote",
    )
    parser.add_argument("folder", type=Path, help="where the page goes")
    given = parser.parse_args()
    if lost := [str(path) for path in given.figures if not path.is_file()]:
        parser.error(f"there is no {', '.join(lost)}")
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is no folder")
    figures = [json.loads(path.read_text(encoding="utf-8")) for path in given.figures]
    (given.folder / f"{name}.md").write_text(page(*figures), encoding="utf-8")
    (given.folder / f"{name}.svg").write_text(drawing(*figures), encoding="utf-8")
