"""What stands under the cursor, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nasdsl.diagnostics import Span
from nasdsl.editor import words
from nasdsl.editor.document import Document
from nasdsl.editor.symbols import Symbol
from nasdsl.language import syntax as s
from nasdsl.operations.table import OPERATIONS

Facts = Mapping[str, Any]
"""What the checker told of the space: ``info``, ``choices`` and ``shapes``; see ``worker``."""

SHOWN = 6
_WORD = re.compile(r"[A-Za-z_]\w*")


def hover(document: Document, offset: int, facts: Facts | None = None) -> tuple[str, Span] | None:
    """A Markdown text about what is at an offset, and the stretch that it is about."""
    found = document.index.at(offset)
    if found is not None:
        span, symbols = found
        parts = [describe(document, symbol, facts) for symbol in symbols]
        shapes = _shapes(facts, span)
        return "\n\n---\n\n".join(parts) + shapes, span
    number = next((p for p in document.expressions_at(offset) if isinstance(p, s.Number)), None)
    if number is not None and number.written[-1].isalpha():
        return f"`{number.written}` is {number.value:,}", number.span
    word = _word_at(document, offset)
    if word is None:
        return None
    text = _setting(document, word) or _builtin(document, word)
    return (text + _shapes(facts, word), word) if text else None


def describe(document: Document, symbol: Symbol, facts: Facts | None = None) -> str:
    """A declared name: how it is declared, what the author says of it, how much it decides."""
    head = _head(document, symbol)
    owner = symbol.owner
    whole = symbol.span is getattr(getattr(owner, "name", None), "span", None)
    remarks = document.remarks(symbol.node.span if not whole else owner.span)
    lines = [f"```nas\n{head}\n```"]
    if remarks:
        lines.append(remarks)
    lines += _more(symbol, facts)
    return "\n\n".join(lines)


def _head(document: Document, symbol: Symbol) -> str:
    """The declaration without its body, on one line."""
    node = symbol.node
    if isinstance(node, s.Block | s.Choice | s.Cell | s.OperationDeclaration):
        shown = ", ".join(_flat(p.span) for p in node.parameters)
        head = f"{symbol.kind} {symbol.name}({shown})" if shown else f"{symbol.kind} {symbol.name}"
        if isinstance(node, s.Block):
            return f"{head} = {_cut(_flat(node.body.span))}"
        if isinstance(node, s.Choice):
            return f"{head} =\n" + "\n".join(
                f"  | {_cut(_flat(a.span)[2:])}" for a in node.alternatives
            )
        return head
    if isinstance(node, s.IndexVariable | s.Clause):
        return f"{symbol.name} in {_flat(node.source.span)}"
    if isinstance(node, s.GraphPort):
        return f"input {_flat(node.span)}"
    if isinstance(node, s.Alternative):
        choice = symbol.owner
        name = choice.name.text if isinstance(choice, s.Choice) else ""
        return f"choice {name}\n  {_cut(_flat(node.span))}"
    if isinstance(node, s.Parameter):
        of = getattr(symbol.owner, "name", "")
        return f"parameter {_flat(node.span)} of {of}"
    return _cut(_flat(node.span))


def _more(symbol: Symbol, facts: Facts | None) -> list[str]:
    node = symbol.node
    if isinstance(node, s.SpaceName):
        return _of_space(facts)
    if isinstance(node, s.Choice):
        return [_count(len(node.alternatives), "alternative") + ". Every use decides afresh."]
    if isinstance(node, s.Block):
        chosen = [b.name.text for b in node.where if b.decides]
        return [f"Every use decides afresh: {', '.join(chosen)}."] if chosen else []
    if isinstance(node, s.Cell):
        return ["One design: all its uses share its decisions."]
    binding = node.binding if isinstance(node, s.Let) else node
    if isinstance(binding, s.Binding) and binding.decides:
        values = _values(symbol, facts)
        whole = isinstance(node, s.Let) or isinstance(symbol.owner, s.NetworkBody)
        tied = "decided once for the whole space" if whole else "decided where the text is used"
        return [f"A choice{values}, {tied}."]
    return []


def _values(symbol: Symbol, facts: Facts | None) -> str:
    for choice in (facts or {}).get("choices", ()):
        if choice["name"] == symbol.name and choice["line"] == symbol.span.line:
            return f" of {_count(choice['values'], 'value')}"
    return ""


def _of_space(facts: Facts | None) -> list[str]:
    info = (facts or {}).get("info")
    if not info:
        return []
    feasible = info.get("feasible")
    counted = f"**{info['architectures']:,}** architectures"
    if feasible is not None and feasible != info["architectures"]:
        counted += f", {feasible:,} feasible"
    rows = [counted]
    for name in ("params", "macs", "neighbors"):
        bounds = info.get(name) or {}
        if bounds.get("min") is not None and bounds.get("max") is not None:
            about = "" if bounds.get("exact", True) else " (bounds)"
            rows.append(f"{name}: {bounds['min']:,} to {bounds['max']:,}{about}")
    return ["\n".join(f"- {row}" for row in rows)]


def _shapes(facts: Facts | None, span: Span) -> str:
    """The types of what a stretch of the text makes in networks of the space."""
    found: list[str] = []
    for start, end, op, types in (facts or {}).get("shapes", ()):
        if start == span.start and end >= span.end:
            shown = ", ".join(types[:SHOWN]) + (", …" if len(types) > SHOWN else "")
            found.append(f"`{op}` gives {shown}")
    return "\n\n" + "  \n".join(found[:SHOWN]) if found else ""


# ---- words that are not declared in the text


def _word_at(document: Document, offset: int) -> Span | None:
    place = document.place(offset)
    if place.inside:
        return None
    source = document.tree.source
    for match in _WORD.finditer(document.text, max(0, offset - 80), offset + 80):
        if match.start() <= offset <= match.end():
            return Span(source, match.start(), match.end())
    return None


def _builtin(document: Document, span: Span) -> str | None:
    word = span.text
    argument = _argument(document, span)
    if argument is not None:
        return argument
    reference = any(
        isinstance(p, s.Ref) and p.span.start == span.start
        for p in document.expressions_at(span.start)
    )
    if word in OPERATIONS and (reference or word not in words.KEYWORDS):
        return words.operation_text(OPERATIONS[word])
    if reference and word in words.BUILT_IN:
        return words.BUILT_IN[word]
    return words.KEYWORDS.get(word) or words.BUILT_IN.get(word)


def _argument(document: Document, span: Span) -> str | None:
    """The name of an argument of an operation, or a word given to one."""
    around = document.expressions_at(span.start)
    call = next((p for p in around if isinstance(p, s.Call)), None)
    if call is None or not isinstance(call.callee, s.Ref) or call.callee.name not in OPERATIONS:
        return None
    for argument in call.arguments:
        if argument.name is not None and argument.span.start <= span.start < argument.span.end:
            names = {p.name: p for p in OPERATIONS[call.callee.name].parameters}
            known = names.get(argument.name.text)
            value = isinstance(argument.value, s.Ref) and argument.value.span.start == span.start
            if known and (argument.name.span.start == span.start or (value and known.values)):
                return words.parameter_text(known)
    return None


def _setting(document: Document, span: Span) -> str | None:
    statement = document.statement_at(span.start)
    if isinstance(statement, s.Settings):
        items = words.setting_items(statement.block)
        entries: Sequence[s.Setting] = statement.entries
        if statement.block == "search":
            searcher = items.get(statement.name.text) if statement.name else None
            if searcher is None:
                return None
            if statement.name is not None and statement.name.span.start == span.start:
                return words.item_text(searcher)
            return next(
                (words.option_text(o) for o in searcher.options if o.name == span.text), None
            )
    elif isinstance(statement, s.Objective):
        items = words.setting_items(statement.block)
        entries = [g.metric for g in statement.goals]
    else:
        return None
    for entry in entries:
        if not entry.span.start <= span.start < entry.span.end:
            continue
        item = items.get(str(entry.path))
        if item is None:
            return None
        if span.start < entry.path.span.end:
            return words.item_text(item)
        for argument in entry.arguments:
            if argument.name is not None and argument.name.span.start == span.start:
                options = {o.name: o for o in item.options}
                known = options.get(span.text)
                return words.option_text(known) if known else None
    return None


def _flat(span: Span) -> str:
    """A stretch of the text on one line, comments left out."""
    return " ".join(re.sub(r"#[^\n]*", "", span.text).split())


def _cut(text: str, width: int = 100) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
