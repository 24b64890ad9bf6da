"""The checker as a process of its own, so that the language server can stop it.

It reads requests and writes reports, each one JSON object on a line. A request is ``{"id",
"name", "text", "encoding"}``. The reports to it are, in this order, each with the ``id``:

- ``{"kind": "names", "diagnostics"}``: what syntax and names alone tell, at once;
- ``{"kind": "all", "diagnostics"}``: everything;
- ``{"kind": "facts", "info", "choices", "shapes"}``: what there is to say of a space that is
  sound; ``info`` as ``nasdsl info --json`` prints it, ``shapes`` a list of ``[start, end,
  operation, [types]]``, offsets into the text, gathered over some architectures;
- ``{"kind": "end"}``.

A diagnostic is ``{"code", "severity", "message", "fix", "range", "file", "notes"}``; its
``range`` is ``[line, column, line, column]`` as the editor counts, ``file`` is null where that
is the text itself, and a note has ``message``, ``range`` and ``file``.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from nasdsl.diagnostics import Diagnostic, DiagnosticError, Source, Span, order
from nasdsl.editor.positions import Encoding, Positions

Report = dict[str, Any]

SHAPES_SECONDS = 1.0
"""How long architectures are built to gather the shapes that hovering shows."""
SHAPES_ARCHITECTURES = 12


def reports(text: str, name: str, encoding: Encoding) -> Iterator[Report]:
    """All that there is to say of a text, the quick parts first."""
    from nasdsl.language.imports import bring_in
    from nasdsl.language.parser import parse
    from nasdsl.loading import analyze
    from nasdsl.operations.table import OPERATIONS
    from nasdsl.space.resolve import resolve

    source = Source(name, text)
    places = _Places(source, encoding)
    tree = bring_in(parse(source)).tree
    _, problems = resolve(tree, OPERATIONS)
    yield {"kind": "names", "diagnostics": places.records([*tree.problems, *problems])}
    analysis = analyze(source)
    yield {"kind": "all", "diagnostics": places.records(analysis.diagnostics)}
    space = analysis.space
    if space is None:
        return
    # The cheap facts at once; bounds and counts under constraints may take a while.
    facts: Report = {"kind": "facts", "info": None, "choices": space.choices}
    try:
        yield {**facts, "shapes": _shapes(space)}
        yield {**facts, "info": space.info(), "shapes": _shapes(space)}
    except DiagnosticError:
        return  # said of a single architecture; the verbs say it when it is asked for


def _shapes(space: Any) -> list[list[Any]]:
    """Types of results by the place in the text, over the first, the last and drawn ones."""
    found: dict[tuple[int, int, str], dict[str, None]] = {}
    until = time.monotonic() + SHAPES_SECONDS
    for number in range(SHAPES_ARCHITECTURES):
        if number and time.monotonic() > until:
            break
        architecture = (
            space[0]
            if number == 0
            else space[space.size - 1]
            if number == 1
            else space.sample(number)
        )
        for node in architecture.network.nodes:
            if node.span is not None and node.span.source.text is space.text:
                key = (node.span.start, node.span.end, node.op)
                found.setdefault(key, {})[str(node.type)] = None
    return [[start, end, op, list(types)] for (start, end, op), types in sorted(found.items())]


class _Places:
    """Diagnostics as records with places as the editor counts them."""

    def __init__(self, source: Source, encoding: Encoding):
        self.source = source
        self.encoding: Encoding = encoding
        self._positions: dict[int, Positions] = {}

    def records(self, found: Iterable[Diagnostic]) -> list[Report]:
        """Diagnostics in the order of the text."""
        return [self._record(d) for d in order(d for d in found if d.code)]

    def _record(self, d: Diagnostic) -> Report:
        notes = [{"message": n.message, **self._where(n.span)} for n in d.notes]
        return {
            "code": d.code,
            "severity": d.severity,
            "message": d.message,
            "fix": d.fix,
            **self._where(d.span),
            "notes": notes,
        }

    def _where(self, span: Span | None) -> Report:
        if span is None:
            return {"range": None, "file": None}
        positions = self._positions.setdefault(
            id(span.source), Positions(span.source.text, self.encoding)
        )
        place = [*positions.place(span.start), *positions.place(max(span.end, span.start))]
        return {"range": place, "file": None if self._own(span) else span.source.name}

    def _own(self, span: Span) -> bool:
        return span.source is self.source or span.source.text is self.source.text


def serve(requests: TextIO, write: Callable[[str], object]) -> None:
    """Answer requests until there are no more."""
    for line in requests:
        request = json.loads(line)
        for report in reports(request["text"], request["name"], request["encoding"]):
            write(json.dumps({"id": request["id"], **report}) + "\n")
        write(json.dumps({"id": request["id"], "kind": "end"}) + "\n")


def main() -> None:
    """Serve standard input and output."""

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8")
    serve(sys.stdin, write)


if __name__ == "__main__":
    main()
