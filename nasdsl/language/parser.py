"""From text to statements: splitting, parsing, and telling what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import lark

from nasdsl.diagnostics import Diagnostic, DiagnosticError, Note, Source, Span, nearest, order
from nasdsl.language.builder import Builder
from nasdsl.language.grammar import build_parser
from nasdsl.language.habits import sign_hint, statement_word, syntax_hint
from nasdsl.language.syntax import Statement

MAX_CHARACTERS = 1_000_000
MAX_NESTING = 120
MAX_ERRORS = 50

STATEMENTS = (
    "nas", "space", "input", "output", "use", "key", "let", "block", "choice", "cell", "network",
    "op", "require", "neighborhood", "data", "train", "objective", "best", "search", "report",
)  # fmt: skip

_SCAN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"?)
      | (?P<open>[(\[{]) | (?P<close>[)\]}])
      | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
      | (?P<line>\n)""",
    re.VERBOSE,
)
_NAMED = re.compile(r"[ \t]*(?:in\b|>>|[(+*])")
"""What follows a name and no word that begins a statement: 'op in {8, 16}' under a 'where'."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Tree:
    """The statements of a text in order, and everything that was wrong with it."""

    source: Source
    statements: tuple[Statement, ...]
    problems: tuple[Diagnostic, ...]


@lru_cache(maxsize=1)
def _machinery() -> tuple[lark.Lark, Builder]:
    builder = Builder()
    return build_parser(builder), builder


def parse(source: Source) -> Tree:
    """The statements of a text.

    Never raises for any text: what cannot be read is told in ``problems`` and the rest is
    read all the same, statement by statement.
    """
    text = source.text
    if len(text) > MAX_CHARACTERS:
        message = f"the text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read"
        return Tree(source, (), (Diagnostic("NAS006", message, Span(source, 0, 0)),))
    pieces, problems = _split(source)
    parser, builder = _machinery()
    builder.problems = []
    statements: list[Statement] = []
    while pieces and len(problems) + len(builder.problems) < MAX_ERRORS:
        start, end = pieces.pop(0)
        builder.start(source, start)
        kept = len(builder.problems)
        try:
            statements.append(cast(Statement, parser.parse(text[start:end])))
            continue
        except DiagnosticError as error:
            problems += error.diagnostics
            continue
        except lark.UnexpectedInput as error:
            found = _hinted(_explain(error, source, start, end, parser), text, start, end)
        # A statement may begin in the middle of a line, or with a misspelled word: then what
        # stands before it is a statement of its own.
        cut = found.cut
        if cut is not None and cut > start:
            del builder.problems[kept:]
            pieces[:0] = [(start, cut), (cut, end)]
        else:
            problems.append(found.diagnostic)
    return Tree(source, tuple(statements), tuple(order([*problems, *builder.problems])))


def _split(source: Source) -> tuple[list[tuple[int, int]], list[Diagnostic]]:
    """Where statements begin and end, and brackets that do not match.

    A statement begins with one of its words, first on its line, outside brackets; such a word
    in the first column ends whatever brackets were left open.
    """
    text = source.text
    starts: list[int] = []
    opened: list[tuple[str, int]] = []
    problems: list[Diagnostic] = []
    fresh = True
    line_start = 0
    first_text: int | None = None
    for match in _SCAN.finditer(text):
        kind, at = match.lastgroup, match.start()
        if kind == "line":
            fresh, line_start = True, match.end()
            continue
        if kind == "comment":
            continue
        if first_text is None:
            first_text = at
        leading = fresh and not text[line_start:at].strip()
        fresh = False
        word = match.group()
        if (
            kind == "word"
            and leading
            and (
                (word in STATEMENTS and (at == line_start or not _NAMED.match(text, match.end())))
                or (at == line_start and not opened and _misspelled(text, word, match.end()))
            )
        ):
            if opened and at == line_start:
                problems.append(_unclosed(source, opened[-1]))
                opened.clear()
            if not opened:
                starts.append(at)
        elif kind == "open":
            opened.append((match.group(), at))
            if len(opened) > MAX_NESTING:
                place = Span(source, at, at + 1)
                message = f"brackets are nested more than {MAX_NESTING} deep here"
                return [], [*problems, Diagnostic("NAS005", message, place)]
        elif kind == "close":
            if opened and _CLOSING[opened[-1][0]] == match.group():
                opened.pop()
            elif len(problems) < MAX_ERRORS:
                problems.append(_stray(source, match.group(), at, opened))
                opened = opened[:-1]
    if opened:
        problems.append(_unclosed(source, opened[-1]))
    stripped = len(text) - len(text.lstrip())
    if not starts or (first_text is not None and text[stripped : starts[0]].strip()):
        head = _comments_off(text[: starts[0] if starts else len(text)])
        if head.strip():
            starts.insert(0, len(head) - len(head.lstrip()))
    ends = [*starts[1:], len(text)] if starts else []
    broken = [p.span.start for p in problems if p.span]
    pieces = [
        (a, b) for a, b in zip(starts, ends, strict=True) if not any(a <= x < b for x in broken)
    ]
    return pieces, problems


def _misspelled(text: str, word: str, end: int) -> bool:
    """A word in the first column that most likely means the beginning of a statement."""
    if word in ("where", "when", "then", "else", "for", "if", "in", "step"):
        return False
    follows = text[end : end + 40].lstrip(" \t")
    near = statement_word(word) or nearest(word, STATEMENTS)
    return near is not None and not re.match(r"in\b|\[[^\]]*\] *in\b", follows)


def _comments_off(text: str) -> str:
    return re.sub(r"#[^\n]*", lambda m: " " * len(m.group()), text)


def _unclosed(source: Source, bracket: tuple[str, int]) -> Diagnostic:
    mark, at = bracket
    return Diagnostic(
        "NAS004",
        f"this '{mark}' is never closed; expected '{_CLOSING[mark]}'",
        Span(source, at, at + 1),
    )


def _stray(source: Source, mark: str, at: int, opened: list[tuple[str, int]]) -> Diagnostic:
    place = Span(source, at, at + 1)
    if not opened:
        return Diagnostic("NAS004", f"this '{mark}' closes nothing", place)
    opener, where = opened[-1]
    return Diagnostic(
        "NAS004",
        f"found '{mark}', expected '{_CLOSING[opener]}'",
        place,
        notes=(Note(f"'{opener}' was opened here", Span(source, where, where + 1)),),
    )


@dataclass(frozen=True)
class _Found:
    diagnostic: Diagnostic
    cut: int | None = None


def _explain(
    error: lark.UnexpectedInput, source: Source, start: int, end: int, parser: lark.Lark
) -> _Found:
    text = source.text
    if isinstance(error, lark.UnexpectedToken) and error.token.type == "$END":
        stop = start + len(_comments_off(text[start:end]).rstrip())
        place = Span(source, max(stop - 1, start), stop)
        expected = _expected(error, parser)
        return _Found(
            Diagnostic("NAS003", f"the statement ends too early; expected {expected}", place)
        )
    at = start + max(getattr(error, "pos_in_stream", 0) or 0, 0)
    if isinstance(error, lark.UnexpectedToken):
        at = start + (error.token.start_pos or 0)
        place = Span(source, at, start + (error.token.end_pos or 0))
    else:
        place = Span(source, at, min(at + 1, len(text)))
        odd = _odd(source, at)
        if odd is not None:
            return _Found(odd)
        word = re.compile(
            r"[A-Za-z_][A-Za-z_0-9]*|[0-9][A-Za-z_0-9.]*|<->|->|>>|\+\+|\.\.|[=<>!]=|//"
        ).match(text, at)
        if word:
            place = Span(source, at, word.end())
    found = place.text
    line, column = source.position(at)
    leading = not source.line(line)[: column - 1].strip()
    if at > start and found in STATEMENTS:
        return _Found(_unexpected(error, place, parser), cut=at)
    if leading and re.fullmatch(r"[A-Za-z_]\w*", found):
        near = statement_word(found) or nearest(found, STATEMENTS)
        if at == start:
            hint = f"; did you mean '{near}'?" if near else ""
            notes = (Note(f"a statement begins with one of: {', '.join(STATEMENTS)}"),)
            unknown = Diagnostic(
                "NAS007", f"'{found}' does not begin a statement{hint}", place, notes=notes
            )
            return _Found(unknown)
        follows = text[place.end :].lstrip(" \t")[:1]
        ended = "$END" in (
            getattr(error, "accepts", None) or getattr(error, "expected", None) or ()
        )
        if column == 1 and (near or (ended and follows != "[")):
            return _Found(_unexpected(error, place, parser), cut=at)
    return _Found(_unexpected(error, place, parser))


def _hinted(found: _Found, text: str, start: int, end: int) -> _Found:
    """With advice, where the mistake is a habit of another language."""
    diagnostic = found.diagnostic
    if diagnostic.span is None or diagnostic.notes:
        return found
    statement = _comments_off(text[start:end])
    at = diagnostic.span.end if diagnostic.code == "NAS003" else diagnostic.span.start
    advice = sign_hint(diagnostic.span.text) or syntax_hint(statement, at - start)
    if advice is None:
        return found
    return replace(found, diagnostic=replace(diagnostic, notes=(Note(advice),)))


def _odd(source: Source, at: int) -> Diagnostic | None:
    """A character that no token holds, or a token that is begun and not ended."""
    character = source.text[at : at + 1]
    if character == '"':
        line_end = source.text.find("\n", at)
        stop = len(source.text) if line_end < 0 else line_end
        written = source.text[at:stop]
        bad = re.search(r'\\[^"\\nt]', written)
        if bad and re.match(r'"([^"\\\n]|\\.)*"', written):
            place = Span(source, at + bad.start(), at + bad.end())
            message = f"'{bad.group()}' is no escape; a text knows \\\" \\\\ \\n \\t"
            return Diagnostic("NAS009", message, place)
        return Diagnostic(
            "NAS009", "this text is not closed by '\"' on its line", Span(source, at, stop)
        )
    # Of '0.4K' the reader has taken '0.' already.
    taken = re.search(r"(?<![A-Za-z_0-9.])[0-9]+\.$", source.text[max(0, at - 40) : at])
    start = at - len(taken.group()) if taken else at
    number = re.compile(r"[0-9][A-Za-z_0-9]*(\.[0-9][A-Za-z_0-9]*)?").match(source.text, start)
    if number and not re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE][0-9]+)?[kMGT]?", number.group()):
        written = number.group()
        meant = written[:-1] + {"K": "k", "m": "M", "g": "G", "t": "T"}.get(written[-1], "")
        likely = re.fullmatch(r"[0-9]+(\.[0-9]+)?[kMGT]", meant) is not None
        hint = f"did you mean {meant}?" if likely else "suffixes are k, M, G and T"
        message = f"'{written}' is not a number; {hint}"
        return Diagnostic("NAS008", message, Span(source, start, number.end()))
    if character in ";":
        return Diagnostic(
            "NAS001", "statements need no ';'; leave it out", Span(source, at, at + 1)
        )
    if not re.match(r"[\w(){}\[\]=<>+\-*/%^.,:|!]", character, re.ASCII):
        shown = character if character.isprintable() else f"U+{ord(character):04X}"
        return Diagnostic(
            "NAS001", f"the character '{shown}' has no meaning here", Span(source, at, at + 1)
        )
    return None


def _unexpected(error: lark.UnexpectedInput, place: Span, parser: lark.Lark) -> Diagnostic:
    expected = _expected(error, parser)
    diagnostic = Diagnostic("NAS002", f"found '{place.text}', expected {expected}", place)
    words = [w for w in _wanted(error, parser) if re.fullmatch(r"[a-z]+", w)]
    near = nearest(place.text, words) if re.fullmatch(r"[A-Za-z_]\w*", place.text) else None
    if near and near != place.text:
        return replace(diagnostic, notes=(Note(f"did you mean '{near}'?"),))
    return diagnostic


_SORTS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "INTEGER": "a number",
    "STRING": "a text in quotes",
    "$END": "the end of the statement",
}


def _wanted(error: lark.UnexpectedInput, parser: lark.Lark) -> list[str]:
    names: Any = getattr(error, "accepts", None) or getattr(error, "expected", None)
    if names is None:
        names = getattr(error, "allowed", None) or ()
    found = []
    for name in sorted(names):
        if name in _SORTS:
            found.append(_SORTS[name])
            continue
        try:
            pattern = parser.get_terminal(name).pattern
        except KeyError:
            continue
        if name in ("COMMENT",) or ("\\t" in pattern.value and "\\n" in pattern.value):
            continue
        found.append(pattern.value.removesuffix("\\b"))
    return sorted(set(found), key=found.index)


def _expected(error: lark.UnexpectedInput, parser: lark.Lark) -> str:
    wanted = set(_wanted(error, parser))
    if {"a name", "a number", "("} <= wanted:
        extra = wanted & {"pick", "some", ")", "]", "}"}
        parts = ["an expression", *(f"'{w}'" for w in sorted(extra))]
    else:
        operators = {">>", "+", "++", "*", "/", "//", "%", "^", "-", "==", "!=", "<", "<=", ">",
                     ">=", "in", "not", "and", "or", "..", ".", "(", "["}  # fmt: skip
        parts = []
        if {">>", "+", "*"} <= wanted:
            wanted -= operators
            parts.append("an operator")
        plain = sorted(w for w in wanted if w.startswith(("a ", "the ")))
        parts = [*plain, *parts, *(f"'{w}'" for w in sorted(wanted - set(plain)))]
    if len(parts) > 8:
        parts = [*parts[:7], "…"]
    if len(parts) < 2:
        return parts[0] if parts else "something else"
    return ", ".join(parts[:-1]) + " or " + parts[-1]
