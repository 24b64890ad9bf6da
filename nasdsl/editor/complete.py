"""What may be written next: keywords by the state of the parser, names by their scope."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import lark

from nasdsl.editor import words
from nasdsl.editor.describe import describe
from nasdsl.editor.document import Document, Place
from nasdsl.editor.symbols import Index, Symbol, index
from nasdsl.language import syntax as s
from nasdsl.language.grammar import build_parser, data_folder
from nasdsl.language.imports import bring_in
from nasdsl.language.parser import STATEMENTS
from nasdsl.language.settings import Item, Option
from nasdsl.operations.table import OPERATIONS
from nasdsl.space.resolve import QUANTITIES

Sort = Literal["keyword", "name", "operation", "function", "setting", "option", "value", "file"]

_SETTINGS = ("data", "train", "objective", "best", "search", "report")
_RULES = ("any", "step", "insert", "remove", "flip")
_SORTED: tuple[Sort, ...] = (
    "option", "value", "setting", "name", "operation", "function", "keyword", "file",
)  # fmt: skip
"""What a place asks for first stands first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that may be written.

    ``detail`` is a line beside it, ``text`` its documentation as Markdown, ``insert`` what is
    written where that is more than the label.
    """

    label: str
    sort: Sort
    detail: str = ""
    text: str = ""
    insert: str | None = None


def complete(document: Document, offset: int) -> list[Candidate]:
    """The candidates at an offset, best first; the editor filters them by what is written."""
    place = document.place(offset)
    if place.inside == "comment":
        return []
    if place.inside == "string":
        found = _files(document) if place.statement == "use" else []
    else:
        found = [*_candidates(document, offset, place), *_openings(document, place)]
    unique = list({(c.label, c.sort): c for c in reversed(found)}.values())[::-1]
    return sorted(unique, key=lambda c: _SORTED.index(c.sort))


def _candidates(document: Document, offset: int, place: Place) -> Iterable[Candidate]:
    if place.statement in _SETTINGS:
        return _settings(place)
    if not place.statement:
        return []
    if place.statement == "neighborhood" and place.bracket is not None:
        listed = _edit(document, place)
        if listed is not None:
            return listed
    given = _arguments(document, offset, place)
    if given is not None and place.argument[-1:] == ("=",):
        values = [c for c in given if c.sort == "value"]
        if values:
            return values
    accepted = _accepted(document, place)
    keywords = [
        Candidate(word, "keyword", "", words.KEYWORDS.get(word, "")) for word in _keywords(accepted)
    ]
    if not {"NAME", "LPAR", "INTEGER"} <= accepted:
        return keywords
    return [*(given or ()), *_names(document, offset, place), *keywords]


# ---- keywords


@lru_cache(maxsize=1)
def _parser() -> lark.Lark:
    return build_parser(None)


def _accepted(document: Document, place: Place) -> set[str]:
    """The terminals that the parser would take after the tokens of the statement."""
    state = _parser().parse_interactive(" ".join(place.tokens))
    try:
        for _ in state.iter_parse():
            pass
        return set(state.accepts())  # type: ignore[no-untyped-call]  # Lark leaves it bare
    except lark.UnexpectedInput:
        return set()


def _keywords(accepted: Iterable[str]) -> list[str]:
    found = set()
    for name in accepted:
        if name == "$END":
            continue
        word = _parser().get_terminal(name).pattern.value.removesuffix("\\b")
        if re.fullmatch(r"[a-z]+", word):
            found.add(word)
    return sorted(found)


def _openings(document: Document, place: Place) -> list[Candidate]:
    """The words that begin a statement, where one may begin."""
    if not place.fresh or place.brackets:
        return []
    once = {"nas", "space", "key", "network", "neighborhood", *_SETTINGS}
    there = {document.text[st.span.start :].split(None, 1)[0] for st in document.tree.statements}
    return [
        Candidate(word, "keyword", "", words.KEYWORDS[word])
        for word in STATEMENTS
        if word not in once or word not in there
    ]


# ---- names


def _names(document: Document, offset: int, place: Place) -> list[Candidate]:
    found = [
        _named(document, symbol)
        for symbol in _visible(document, offset).values()
        if symbol.kind not in ("space", "output", "edit")
    ]
    guessed = _guessed(document, offset, place)
    found += [Candidate(name, "name", kind) for name, kind in guessed.items()]
    if place.statement == "require":
        sorts = ("let", "binding", "alternative", "node")
        found += [
            _named(document, x) for x in document.index.symbols if x.kind in sorts and _decides(x)
        ]
        found += [
            Candidate(name, "function", "quantity", words.BUILT_IN[name]) for name in QUANTITIES
        ]
    found += [
        Candidate(op.name, "operation", words.operation_signature(op), words.operation_text(op))
        for op in OPERATIONS.values()
    ]
    found += [
        Candidate(name, "function", "built in", words.BUILT_IN[name])
        for name in ("maybe", "optional", "chain", "sum", "cin", "all", "any", "size")
    ]
    return found


def _visible(document: Document, offset: int) -> dict[str, Symbol]:
    """The names in scope, also those of files brought in."""
    return imported(document).top | document.index.visible(offset)


def imported(document: Document) -> Index:
    """The names of the files that a text brings in."""
    if not any(isinstance(st, s.Use) for st in document.tree.statements):
        return Index()
    own = {id(st) for st in document.tree.statements}
    return index([st for st in bring_in(document.tree).tree.statements if id(st) not in own])


def _guessed(document: Document, offset: int, place: Place) -> dict[str, str]:
    """What a statement that cannot be read as it stands seems to declare: names and kinds."""
    if document.statement_at(offset) is not None:
        return {}
    end = document.text.find("\n\n", offset)
    text = document.text[place.start : end if end >= 0 else len(document.text)]
    found: dict[str, str] = {}
    head = re.match(r"(?:block|choice|cell|op|let)\s+\w+\s*\(([^)]*)", text)
    if head:
        parameters = re.findall(r"(?:^|,)\s*([A-Za-z_]\w*)", head.group(1))
        found |= dict.fromkeys(parameters, "parameter")
    found |= dict.fromkeys(re.findall(r"\bnode\s+([A-Za-z_]\w*)", text), "node")
    found |= dict.fromkeys(re.findall(r"(?:\bfor\s+|\[)([A-Za-z_]\w*)\s+in\b", text), "index")
    for clause in re.findall(r"\bwhere\b(.*)", text, re.DOTALL):
        names = re.findall(r"([A-Za-z_]\w*)\s*(?:\[[^\]]*\])?\s*(?:in\b|=)", clause)
        found |= dict.fromkeys(names, "value")
    return found


def _named(document: Document, symbol: Symbol) -> Candidate:
    kind = "value" if symbol.kind == "binding" else symbol.kind
    return Candidate(symbol.name, "name", kind, describe(document, symbol))


# ---- arguments of templates and operations


def _arguments(document: Document, offset: int, place: Place) -> list[Candidate] | None:
    """Names of arguments at the beginning of one, values after a name; none outside a call."""
    bracket = place.bracket
    if bracket is None or bracket.mark != "(" or not bracket.head:
        return None
    argument = place.argument
    operation = OPERATIONS.get(bracket.head)
    symbol = _visible(document, offset).get(bracket.head)
    if symbol is not None:
        operation = None
    if argument[-1:] == ("=",) and len(argument) > 1 and operation is not None:
        known = {p.name: p for p in operation.parameters}.get(argument[-2])
        if known is not None:
            return _values(known.kind, known.values)
        return []
    if argument:
        return []
    given = set(re.findall(r"(\w+) =(?!=)", " ".join(place.tokens[bracket.before :])))
    if operation is not None:
        return [
            Candidate(p.name, "option", "argument", words.parameter_text(p), f"{p.name}=")
            for p in operation.parameters
            if p.name not in given
        ]
    parameters = getattr(symbol.node if symbol else None, "parameters", None) or ()
    return [
        Candidate(p.name.text, "option", "argument", "", f"{p.name.text}=")
        for p in parameters
        if p.name.text not in given
    ]


def _values(kind: str, values: Iterable[str]) -> list[Candidate]:
    if kind == "bool":
        values = ("true", "false")
    return [Candidate(value, "value") for value in values]


# ---- neighborhoods


def _edit(document: Document, place: Place) -> list[Candidate] | None:
    """Inside an edit: rules, labels, and the names of what is decided."""
    last = place.last
    top = document.index
    if last in (*_RULES, "at") or (last == "of" and place.tokens[-3:-2] != ("pick",)):
        sorts = {"any": ("choice", "binding", "let"), "step": ("binding", "let")}.get(
            last, ("choice", "binding", "let", "cell", "block", "node")
        )
        decided = [x for x in top.symbols if x.kind in sorts and _decides(x)]
        extra = [Candidate("inputs", "name", "the inputs that are picked")] if last == "any" else []
        return [*(_named(document, x) for x in decided), *extra]
    if last in (":", "then", "|", "->", "<->"):
        labels = [_named(document, x) for x in top.symbols if x.kind == "alternative"]
        rules = [
            Candidate(word, "keyword", "", words.KEYWORDS[word])
            for word in (_RULES if last in (":", "then") else ())
        ]
        operations = [
            Candidate(op.name, "operation", words.operation_signature(op), words.operation_text(op))
            for op in OPERATIONS.values()
        ]
        return [*labels, *rules, *operations]
    if last == "." and len(place.tokens) > 1:
        owner = top.top.get(place.tokens[-2])
        return [
            _named(document, x)
            for x in top.symbols
            if owner is not None and x.kind == "alternative" and x.owner is owner.owner
        ]
    return None


def _decides(symbol: Symbol) -> bool:
    node = symbol.node.binding if isinstance(symbol.node, s.Let) else symbol.node
    return not isinstance(node, s.Binding) or node.decides


# ---- settings


def _settings(place: Place) -> list[Candidate]:
    block = place.statement
    items = words.setting_items(block)
    bracket, argument = place.bracket, place.argument
    if bracket is not None and bracket.mark == "(":
        name = _path_before(place, bracket.before)
        return _options(items.get(name), place, argument)
    if block == "search":
        if bracket is None:
            return _entries(items) if place.tokens == ("search",) else []
        searcher = items.get(bracket.head)
        options = {o.name: o for o in searcher.options} if searcher else {}
        if not argument:
            return [_option(o, o.name) for o in options.values()]
        known = options.get(argument[-1])
        return _values(known.kind, known.values) if known else []
    if block in ("objective", "best"):
        goal = argument if block == "objective" else place.tokens[1:]
        if not goal:
            return [
                Candidate(w, "keyword", "", words.KEYWORDS[w]) for w in ("maximize", "minimize")
            ]
        if place.last not in ("maximize", "minimize", "."):
            return []
        written = "".join(goal[1:])
        return [
            Candidate(
                name,
                "setting",
                words.item_signature(item),
                words.item_text(item),
                name[len(written) :] if written else None,
            )
            for name, item in items.items()
            if name.startswith(written)
        ]
    if block == "data":
        return _entries(items) if place.tokens == ("data",) else []
    if bracket is None:
        return []
    if not argument:
        return _entries(items)
    item = items.get(argument[-1])
    if item is not None and len(item.options) == 1:
        return _values(item.options[0].kind, item.options[0].values)
    return []


def _path_before(place: Place, at: int) -> str:
    """The dotted name that ends before a token."""
    parts: list[str] = []
    while at > 0 and re.fullmatch(r"[A-Za-z_]\w*|\.", place.tokens[at - 1]):
        if parts and (parts[0] == ".") == (place.tokens[at - 1] == "."):
            break
        parts.insert(0, place.tokens[at - 1])
        at -= 1
    return "".join(parts)


def _entries(items: Mapping[str, Item]) -> list[Candidate]:
    return [
        Candidate(item.name, "setting", words.item_signature(item), words.item_text(item))
        for item in items.values()
    ]


def _options(item: Item | None, place: Place, argument: tuple[str, ...]) -> list[Candidate]:
    if item is None:
        return []
    options = {o.name: o for o in item.options}
    if argument[-1:] == ("=",) and len(argument) > 1:
        known = options.get(argument[-2])
        return _values(known.kind, known.values) if known else []
    if argument or place.bracket is None:
        return []
    given = set(re.findall(r"(\w+) =", " ".join(place.tokens[place.bracket.before :])))
    return [_option(o, f"{o.name}=") for o in options.values() if o.name not in given]


def _option(option: Option, insert: str) -> Candidate:
    return Candidate(option.name, "option", option.kind, words.option_text(option), insert)


# ---- files


def _files(document: Document) -> list[Candidate]:
    """Spaces that ``use`` can bring in: shipped ones, and those beside the file."""
    shipped = data_folder("spaces")
    folders = [(shipped, "shipped space")]
    here = Path(document.name).parent
    if Path(document.name).is_file():
        folders.append((here, "beside this file"))
    return [
        Candidate(path.name, "file", what)
        for folder, what in folders
        for path in sorted(folder.glob("*.nas"))
        if path.name != Path(document.name).name or folder == shipped
    ]
