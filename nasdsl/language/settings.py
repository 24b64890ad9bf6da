"""Named settings: what stands in ``data``, ``train``, ``objective``, ``search``, ``report``.

A block of settings is a list of entries. ``epochs 12`` is an entry with one value,
``sgd(lr=0.1)`` one with named values, ``cosine`` one with none. What entries a block may hold
is a table of :class:`Item`; reading a block against its table gives plain dictionaries, and a
diagnostic for everything that does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nasdsl.diagnostics import Diagnostic, Note, Span, suggestion

Kind = Literal["int", "float", "bool", "text", "name", "entry", "any"]

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()


class Name(str):
    """A bare word used as a value, as ``arch_str`` in ``table("x.csv", key=arch_str)``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a block of settings, its values evaluated.

    A value is a number, truth value, text (``str``), :class:`Name`, tuple of values, or
    another entry.
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()
    span: Span | None = None
    spans: tuple[Span | None, ...] = ()
    """Places of the values: positional ones first, then named ones."""

    def source(self) -> str:
        """The entry as it would be written."""
        values = [_written(v) for v in self.args] + [f"{k}={_written(v)}" for k, v in self.kwargs]
        return f"{self.name}({', '.join(values)})" if values else self.name


def _written(value: Any) -> str:
    if isinstance(value, Entry):
        return value.source()
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, tuple):
        return "{" + ", ".join(_written(v) for v in value) + "}"
    return repr(value)


@dataclass(frozen=True, slots=True)
class Option:
    """One value of an entry: its name, kind, default, bounds (inclusive) and meaning."""

    name: str
    kind: Kind
    default: Any = REQUIRED
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry that a block may hold.

    ``group`` names a set of entries of which a block may hold one (optimizers, schedules).
    """

    name: str
    options: tuple[Option, ...] = ()
    doc: str = ""
    group: str | None = None


def table(*items: Item) -> dict[str, Item]:
    """Items by name."""
    return {item.name: item for item in items}


def read(
    entries: Iterable[Entry], items: Mapping[str, Item], block: str
) -> tuple[dict[str, dict[str, Any]], list[Diagnostic]]:
    """Entries against a table.

    Returns ``{entry name: {option name: value}}`` for the entries that are there, defaults
    filled in, and what is wrong. An entry that is wrong in part keeps its sound values.
    """
    found: dict[str, dict[str, Any]] = {}
    places: dict[str, Entry] = {}
    problems: list[Diagnostic] = []
    for entry in entries:
        item = items.get(entry.name)
        if item is None:
            problems.append(
                Diagnostic(
                    "NAS401",
                    f"'{entry.name}' is not a setting of '{block}'{suggestion(entry.name, items)}",
                    entry.span,
                    notes=(Note(f"'{block}' takes: {', '.join(items)}"),),
                )
            )
            continue
        rivals = [
            n for n in found if n == item.name or (item.group and items[n].group == item.group)
        ]
        if rivals:
            problems.append(
                Diagnostic(
                    "NAS402",
                    f"'{block}' already has '{rivals[0]}', and takes one of them only",
                    entry.span,
                    notes=(Note("the other stands here", places[rivals[0]].span),),
                )
            )
            continue
        values, wrong = read_entry(entry, item)
        found[item.name] = values
        places[item.name] = entry
        problems += wrong
    return found, problems


def read_entry(entry: Entry, item: Item) -> tuple[dict[str, Any], list[Diagnostic]]:
    """The values of one entry, defaults filled in, and what is wrong with them."""
    problems: list[Diagnostic] = []
    values = {o.name: o.default for o in item.options}
    spans = list(entry.spans) + [None] * (len(entry.args) + len(entry.kwargs) - len(entry.spans))
    options = {o.name: o for o in item.options}
    given: set[str] = set()
    for index, value in enumerate(entry.args):
        span = spans[index] or entry.span
        if index >= len(item.options):
            problems.append(
                Diagnostic(
                    "NAS403",
                    f"'{item.name}' takes {_count(len(item.options), 'value')}, "
                    f"but {len(entry.args)} are given",
                    span,
                )
            )
            break
        option = item.options[index]
        given.add(option.name)
        _take(values, option, value, item, span, problems)
    for offset, (name, value) in enumerate(entry.kwargs):
        span = spans[len(entry.args) + offset] or entry.span
        found = options.get(name)
        if found is None:
            takes = f"it takes {', '.join(options)}" if options else "it takes none"
            problems.append(
                Diagnostic(
                    "NAS404",
                    f"'{item.name}' has no setting '{name}'{suggestion(name, options)}",
                    span,
                    notes=(Note(takes),),
                )
            )
        elif name in given:
            problems.append(Diagnostic("NAS405", f"'{name}' is given twice", span))
        else:
            given.add(name)
            _take(values, found, value, item, span, problems)
    for option in item.options:
        if option.default is REQUIRED and option.name not in given:
            problems.append(
                Diagnostic("NAS406", f"'{item.name}' needs a value for '{option.name}'", entry.span)
            )
            values.pop(option.name, None)
    return values, problems


def _count(n: int, noun: str) -> str:
    return f"{n or 'no'} {noun}{'' if n == 1 else 's'}"


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "text": "a text in quotes",
    "name": "a word",
    "entry": "a name",
    "any": "a value",
}


def _take(
    values: dict[str, Any],
    option: Option,
    value: Any,
    item: Item,
    span: Span | None,
    problems: list[Diagnostic],
) -> None:
    wrong = _mismatch(option, value)
    if wrong is None:
        values[option.name] = float(value) if option.kind == "float" else value
        return
    label = (
        f"'{item.name}'"
        if option.name in ("value", item.name)
        else f"'{item.name}', '{option.name}'"
    )
    problems.append(Diagnostic("NAS407", f"{label}: {wrong}", span))


def _mismatch(option: Option, value: Any) -> str | None:
    shown = _written(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": number,
        "bool": isinstance(value, bool),
        "text": isinstance(value, str) and not isinstance(value, Name),
        "name": isinstance(value, str),
        "entry": isinstance(value, Entry | Name),
        "any": True,
    }[option.kind]
    if not fits:
        return f"expected {_KINDS[option.kind]}, found {shown}"
    if option.values and value not in option.values:
        known = ", ".join(option.values)
        return f"expected one of {known}, found {shown}{suggestion(str(value), option.values)}"
    if number and option.minimum is not None and value < option.minimum:
        return f"must be at least {option.minimum:g}, found {shown}"
    if number and option.maximum is not None and value > option.maximum:
        return f"must be at most {option.maximum:g}, found {shown}"
    return None
