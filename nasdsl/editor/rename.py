"""Where a name is declared and used, and giving it another."""

from __future__ import annotations

import re

from nasdsl.diagnostics import Span
from nasdsl.editor.complete import imported
from nasdsl.editor.document import Document
from nasdsl.editor.symbols import shadows
from nasdsl.editor.words import KEYWORDS
from nasdsl.language import syntax as s
from nasdsl.operations.table import OPERATIONS


class RenameError(Exception):
    """A name cannot be given, said in one sentence."""


def definitions(document: Document, offset: int) -> list[Span]:
    """Where the name at an offset is declared, also in a file that is brought in."""
    found = document.index.at(offset)
    if found is not None:
        return [symbol.span for symbol in found[1]]
    around = document.expressions_at(offset)
    reference = next((p for p in around if isinstance(p, s.Ref | s.Ident)), None)
    if reference is None:
        return []
    name = reference.name if isinstance(reference, s.Ref) else reference.text
    there = imported(document)
    return [symbol.span for symbol in there.symbols if symbol.name == name][:1]


def places(document: Document, offset: int, declarations: bool) -> list[Span]:
    """Where the name at an offset is used, and declared if that is asked for."""
    found = document.index.at(offset)
    if found is None:
        return []
    declared = {symbol.span.start for symbol in found[1]}
    spans = document.index.places(found[1])
    return [span for span in spans if declarations or span.start not in declared]


def rename(document: Document, offset: int, name: str) -> list[Span]:
    """The stretches to be replaced so that the name at an offset becomes ``name``.

    Raises :class:`RenameError` where the meaning of the text would change.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*", name):
        raise RenameError(f"'{name}' is no name: letters, digits and '_', no digit first")
    found = document.index.at(offset)
    if found is None:
        raise RenameError("there is no name of this text here")
    symbols = found[1]
    if document.tree.problems:
        raise RenameError("the text has mistakes; a name is changed everywhere or nowhere")
    if name in KEYWORDS or name in OPERATIONS:
        raise RenameError(f"'{name}' is a word of the language")
    for symbol in symbols:
        other = next(shadows(document.index, symbol, name), None)
        if other is not None:
            line = other.span.line
            raise RenameError(f"'{name}' already means the {other.kind} of line {line}")
    return document.index.places(symbols)
