"""Published values of a benchmark, which stand for training. No torch.

``data table("accuracy.csv.gz", key=arch_str, search=val12_cifar10, report=test200_cifar10)`` names
a file of comma-separated values with a line of headings, gzip-compressed or not: the column
that holds the space's ``key``, the one that is the accuracy during the search, and the one
that is reported of the best in the end. Every other column is the metric ``table(COLUMN)``.
With ``join="robustness.csv.gz", on=iso_index, join_key=arch_index`` columns of a second file can
be used too: its row is the one whose ``join_key`` (by default ``on``) equals the first row's ``on``.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nasdsl.diagnostics import Note, Span, nearest, problem, suggestion
from nasdsl.objectives.metrics import MetricError, MetricRequest, measured
from nasdsl.seeding import derive
from nasdsl.training.settings import DataSettings

if TYPE_CHECKING:
    from nasdsl.space import Space

SOURCE = "table"
"""The data source that is a table."""

_TRIED = 16


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One file: its columns, and its rows by the value of the key column."""

    path: str
    columns: Mapping[str, int]
    rows: Mapping[str, Sequence[str]]
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Published values, of one file or of two.

    Attributes:
        main: the file whose key is the space's.
        search: the column of the accuracy during the search.
        report: the one that is reported of the best, where there is one.
        joined: the second file, and ``on`` the column of the first that is its key.
    """

    main: Rows
    search: str
    report: str | None = None
    joined: Rows | None = None
    on: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns; where both files have one of a name, the first file's counts."""
        more = () if self.joined is None else tuple(self.joined.columns)
        return tuple(dict.fromkeys((*self.main.columns, *more)))

    def value(self, key: str, column: str | None = None) -> float:
        """A number of one architecture's row, by default the one of the search.

        Raises:
            MetricError: there is no such row, or no number in it.
        """
        column = column or self.search
        row = self.main.rows.get(key)
        if row is None:
            raise MetricError(f"'{self.main.path}' has no row for '{key}'")
        source, wanted = self.main, key
        if column not in source.columns and self.joined is not None and self.on is not None:
            source, wanted = self.joined, row[self.main.columns[self.on]]
            row = source.rows.get(wanted)
            if row is None:
                raise MetricError(f"'{source.path}' has no row for {self.on} {wanted}")
        if column not in source.columns:
            raise MetricError(f"the table has no column '{column}'")
        text = row[source.columns[column]].strip()
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            shown = f"'{text}'" if text else "nothing"
            raise MetricError(f"'{source.path}' has {shown} as {column} of '{wanted}'")
        return value


def open_table(settings: DataSettings, base_folder: str | Path | None = None) -> Table:
    """The table that settings name, kept in the process until the file changes.

    Raises:
        DiagnosticError: NAS701 missing, NAS702 unreadable, NAS707 a column that is not there.
    """
    assert settings.path is not None and settings.key is not None and settings.search is not None
    main = _read(settings.path, settings.key, base_folder, settings.span)
    joined = None
    if settings.join is not None and settings.on is not None:
        _known(settings.on, main.columns, settings.span)
        joined = _read(settings.join, settings.join_key or settings.on, base_folder, settings.span)
    table = Table(main, settings.search, settings.report, joined, settings.on)
    for name in (settings.search, settings.report):
        if name is not None:
            _known(name, table.columns, settings.span)
    return table


def check_table(
    space: Space,
    settings: DataSettings,
    requests: Sequence[MetricRequest],
    base_folder: str | Path | None = None,
) -> Table:
    """The table, held against the space and the goals before the first trial.

    Raises:
        DiagnosticError: as :func:`open_table`; NAS707 a goal's column is not there; NAS708 the
            space has no key, or none of some architectures tried is in the table; NAS714 a goal
            needs a trained network or images.
    """
    table = open_table(settings, base_folder)
    for request in measured(requests):
        if request.metric == SOURCE:
            _known(request["column"], table.columns, settings.span)
        elif request.metric != "accuracy" and (
            request.facts.cost == "trained" or request.facts.split != "none"
        ):
            raise problem(
                "NAS714",
                f"'{request.metric}' needs a network and samples, but the data are a table",
                settings.span,
                Note("a table answers 'accuracy', 'table(COLUMN)' and facts of the network"),
            )
    tried = [space.sample(derive(0, "table keys", i)).key for i in range(_TRIED)]
    if None in tried:
        raise problem(
            "NAS708",
            "the space declares no key, so that its architectures cannot be found in a table",
            settings.span,
            Note('write one as: key "{a}-{b}", with the names of its choices in braces'),
        )
    keys = [key for key in tried if key is not None]
    if not any(key in table.main.rows for key in keys):
        like = next(iter(islice(table.main.rows, 1)), "nothing")
        raise problem(
            "NAS708",
            f"none of {len(keys)} architectures tried has a row in '{table.main.path}'",
            settings.span,
            Note(
                f"the space's keys are like '{keys[0]}', the column {settings.key} holds '{like}'"
            ),
        )
    return table


def without_table(requests: Sequence[MetricRequest], span: Span | None = None) -> None:
    """Raises a diagnostic (NAS714) where a goal needs a table and the data are none."""
    if any(request.metric == SOURCE for request in requests):
        raise problem(
            "NAS714",
            "'table' reads a column of published values, but the data are no table",
            span,
            Note('write: data table("values.csv", key=COLUMN, search=COLUMN)'),
        )


def _known(name: str, columns: Sequence[str] | Mapping[str, int], span: Span | None) -> None:
    if name not in columns:
        shown = ", ".join(list(columns)[:12]) + (", ..." if len(columns) > 12 else "")
        near = suggestion(name, columns) if nearest(name, columns) else ""
        raise problem(
            "NAS707", f"the table has no column '{name}'{near}", span, Note(f"it has: {shown}")
        )


def _read(path: str, key: str, base_folder: str | Path | None, span: Span | None) -> Rows:
    place = Path(base_folder or ".") / Path(path).expanduser()
    try:
        changed = place.stat().st_mtime_ns
    except OSError:
        raise problem("NAS701", f"there is no file '{place}'", span) from None
    columns, rows = _lines(place, changed, span)
    _known(key, columns, span)
    return Rows(path, columns, _by_key(place, changed, key, columns, rows, span), key)


_cache: dict[tuple[Path, int, str], Mapping[str, Sequence[str]]] = {}


def _by_key(
    place: Path,
    changed: int,
    key: str,
    columns: Mapping[str, int],
    rows: Sequence[Sequence[str]],
    span: Span | None,
) -> Mapping[str, Sequence[str]]:
    kept = (place, changed, key)
    if kept not in _cache:
        found: dict[str, Sequence[str]] = {}
        at = columns[key]
        for row in rows:
            if found.setdefault(row[at], row) is not row:
                raise problem(
                    "NAS702", f"'{place}' has more than one row with {key} '{row[at]}'", span
                )
        _cache.clear() if len(_cache) > 4 else None
        _cache[kept] = found
    return _cache[kept]


def _lines(
    place: Path, changed: int, span: Span | None
) -> tuple[Mapping[str, int], Sequence[Sequence[str]]]:
    try:
        return _parsed(place, changed)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise problem("NAS702", f"'{place}' cannot be read as a table: {error}", span) from error


@lru_cache(maxsize=4)
def _parsed(place: Path, changed: int) -> tuple[Mapping[str, int], Sequence[Sequence[str]]]:
    """The columns and rows of a file; ``changed`` is part of the key alone."""
    data = place.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    header = next(reader, [])
    columns = {name.strip(): place for place, name in enumerate(header)}
    if not header or len(columns) < len(header):
        raise ValueError("its first line must name every column, each once")
    rows = []
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"line {reader.line_num} has {len(row)} values, not {len(header)}")
        rows.append(row)
    return columns, rows
