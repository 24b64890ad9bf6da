"""Settings changed from outside a text: ``search.samples=200``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nasdsl.diagnostics import Diagnostic, Source, Span, suggestion
from nasdsl.language import syntax as s
from nasdsl.language.parser import Tree, parse
from nasdsl.language.settings import Entry

NAME = "--set"
BLOCKS = ("train", "data", "search", "report")


def override_lets(tree: Tree, overrides: Mapping[str, str]) -> Tree:
    """A tree in which ``let``s take other values: ``C=8`` reads as ``let C = 8``."""
    statements = list(tree.statements)
    problems = list(tree.problems)
    lets = {st.name.text: i for i, st in enumerate(statements) if isinstance(st, s.Let)}
    for key, value in overrides.items():
        if "." in key or key in BLOCKS:
            continue
        text = f"let {key} = {value}"
        if key not in lets:
            known = [*lets, *(f"{b}." for b in BLOCKS)]
            problems.append(
                _wrong(key, value, f"there is no 'let {key}' to set{suggestion(key, known)}")
            )
            continue
        made = parse(Source(NAME, text))
        if made.problems or len(made.statements) != 1:
            problems.append(_wrong(key, value, f"'{value}' is no value"))
            continue
        statements[lets[key]] = made.statements[0]
    return replace(tree, statements=tuple(statements), problems=tuple(problems))


def _wrong(key: str, value: str, message: str) -> Diagnostic:
    source = Source(NAME, f"{key}={value}")
    return Diagnostic("NAS408", message, Span(source, 0, len(key)))


def parse_value(key: str, value: str) -> tuple[Any, list[Diagnostic]]:
    """The value of an override: a number, truth value, word or text."""
    from nasdsl.language.settings import Name

    text = f"train {{ x {value} }}"
    tree = parse(Source(NAME, text))
    if not tree.problems and len(tree.statements) == 1:
        statement = tree.statements[0]
        if isinstance(statement, s.Settings) and len(statement.entries) == 1:
            arguments = statement.entries[0].arguments
            if len(arguments) == 1:
                found = arguments[0].value
                if isinstance(found, s.Number | s.Text | s.Truth):
                    return found.value, []
                if isinstance(found, s.Ref):
                    return Name(found.name), []
    return value, []


def override_entries(
    block: str, entries: tuple[Entry, ...], overrides: Mapping[str, str]
) -> tuple[tuple[Entry, ...], list[Diagnostic]]:
    """Entries with ``block.entry=value`` and ``block.entry.option=value`` put in."""
    problems: list[Diagnostic] = []
    found = list(entries)
    for key, written in overrides.items():
        head, *path = key.split(".")
        if head != block or not path:
            continue
        value, wrong = parse_value(key, written)
        problems += wrong
        span = Span(Source(NAME, f"{key}={written}"), 0, len(key))
        if len(path) > 2:
            problems.append(_wrong(key, written, f"'{key}' names no setting"))
            continue
        at = next((i for i, e in enumerate(found) if e.name == path[0]), None)
        entry = found[at] if at is not None else Entry(path[0], span=span)
        if len(path) == 1:
            entry = Entry(path[0], () if value is True else (value,), (), span, (span,))
            if value is False:
                found = [e for e in found if e.name != path[0]]
                continue
        else:
            kept = tuple((k, v) for k, v in entry.kwargs if k != path[1])
            entry = Entry(path[0], entry.args, (*kept, (path[1], value)), entry.span or span)
        if at is None:
            found.append(entry)
        else:
            found[at] = entry
    return tuple(found), problems


def override_entry(
    block: str, entry: Entry | None, overrides: Mapping[str, str]
) -> tuple[Entry | None, list[Diagnostic]]:
    """An entry whose options are set by ``block.option=value``, its name by ``block=value``."""
    problems: list[Diagnostic] = []
    for key, written in overrides.items():
        head, *path = key.split(".")
        if head != block:
            continue
        span = Span(Source(NAME, f"{key}={written}"), 0, len(key))
        value, wrong = parse_value(key, written)
        problems += wrong
        if not path:
            entry = Entry(str(value), (), entry.kwargs if entry and block == "search" else (), span)
            continue
        if len(path) != 1:
            problems.append(_wrong(key, written, f"'{key}' names no setting"))
            continue
        if entry is None:
            problems.append(_wrong(key, written, f"the text has no '{block}' to set"))
            continue
        kept = tuple((k, v) for k, v in entry.kwargs if k != path[0])
        entry = Entry(entry.name, entry.args, (*kept, (path[0], value)), entry.span)
    return entry, problems
