"""The language server: what an editor asks, answered by the services beside this file.

Needs the package ``pygls`` (``pip install nasdsl[lsp]``); nothing else of nasdsl imports it.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from nasdsl.diagnostics import DiagnosticError, Span
from nasdsl.editor import rename as renaming
from nasdsl.editor.analyst import Analyst, Report, Request
from nasdsl.editor.complete import Candidate, complete
from nasdsl.editor.describe import hover
from nasdsl.editor.document import Document
from nasdsl.editor.positions import Encoding, Positions
from nasdsl.editor.symbols import Symbol
from nasdsl.language import syntax as s
from nasdsl.language.format import format_text
from nasdsl.version import __version__

_SEVERITY = {"error": lsp.DiagnosticSeverity.Error, "warning": lsp.DiagnosticSeverity.Warning}
_UNUSED = frozenset({"NAS501", "NAS502", "NAS503", "NAS504"})
_ITEM_KINDS = {
    "keyword": lsp.CompletionItemKind.Keyword,
    "name": lsp.CompletionItemKind.Variable,
    "operation": lsp.CompletionItemKind.Function,
    "function": lsp.CompletionItemKind.Function,
    "setting": lsp.CompletionItemKind.Property,
    "option": lsp.CompletionItemKind.Field,
    "value": lsp.CompletionItemKind.EnumMember,
    "file": lsp.CompletionItemKind.File,
}
_SYMBOL_KINDS = {
    "space": lsp.SymbolKind.Module,
    "input": lsp.SymbolKind.Interface,
    "output": lsp.SymbolKind.Interface,
    "let": lsp.SymbolKind.Constant,
    "block": lsp.SymbolKind.Class,
    "choice": lsp.SymbolKind.Enum,
    "cell": lsp.SymbolKind.Struct,
    "op": lsp.SymbolKind.Function,
    "alternative": lsp.SymbolKind.EnumMember,
    "binding": lsp.SymbolKind.Variable,
    "node": lsp.SymbolKind.Field,
    "edit": lsp.SymbolKind.Event,
}


class Server(LanguageServer):
    """The language server of ``.nas`` files, over any of pygls' transports."""

    def __init__(self) -> None:
        # Whole texts: they are small, and pygls splits lines where the protocol does not.
        super().__init__(
            "nasdsl", __version__, text_document_sync_kind=lsp.TextDocumentSyncKind.Full
        )
        self._documents: dict[str, tuple[str, Document]] = {}
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._names: dict[str, list[Report]] = {}
        self._found: dict[str, list[Report]] = {}
        self._analyst: Analyst | None = None

    # ---- texts

    @property
    def encoding(self) -> Encoding:
        """How the editor counts columns."""
        agreed = self.workspace.position_encoding
        if agreed == lsp.PositionEncodingKind.Utf8:
            return "utf-8"
        return "utf-32" if agreed == lsp.PositionEncodingKind.Utf32 else "utf-16"

    def document(self, uri: str) -> Document:
        """The text of a place, worked out once for each state it is in."""
        text = self.workspace.get_text_document(uri).source
        known = self._documents.get(uri)
        if known is not None and known[0] == text:
            return known[1]
        made = Document(to_fs_path(uri) or uri, text, self.encoding)
        self._documents[uri] = (text, made)
        return made

    def changed(self, uri: str, version: int | None) -> None:
        """Check a text that is new."""
        document = self.document(uri)
        if self._analyst is None:
            self._analyst = Analyst(self.told)
        self._analyst.submit(Request(uri, version, document.name, document.text, document.encoding))

    def closed(self, uri: str) -> None:
        """Forget a text, and what was shown of it."""
        if self._analyst is not None:
            self._analyst.withdraw(uri)
        for table in (self._documents, self._facts, self._names, self._found):
            table.pop(uri, None)
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    async def close(self) -> None:
        """Stop checking."""
        if self._analyst is not None:
            await self._analyst.close()

    def told(self, request: Request, report: Report) -> None:
        """A report of the checker."""
        uri, kind = request.key, report["kind"]
        if uri not in self._documents:
            return
        if kind == "names":
            self._names[uri] = report["diagnostics"]
        elif kind == "all":
            self._facts.pop(uri, None)
            self._publish(request, report["diagnostics"])
        elif kind == "facts":
            self._facts[uri] = report
        elif kind == "slow":
            slow = _remark("checking the whole space takes long; syntax and names are checked")
            self._publish(request, [*self._names.get(uri, ()), slow])
        elif kind == "failed":
            self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, report["trace"]))
            last = report["trace"].strip().rpartition("\n")[2]
            wrong = _remark(f"the checker failed; please report this bug of nasdsl: {last}")
            self._publish(request, [*self._names.get(uri, ()), {**wrong, "severity": "error"}])

    def _publish(self, request: Request, found: list[Report]) -> None:
        self._found[request.key] = found
        shown = [_diagnostic(d, request.key) for d in found]
        self.text_document_publish_diagnostics(
            lsp.PublishDiagnosticsParams(request.key, shown, request.version)
        )

    def facts(self, uri: str) -> Mapping[str, Any] | None:
        """What is known of the space of a text, possibly as it was a moment ago."""
        return self._facts.get(uri)

    def found(self, uri: str) -> list[Report]:
        """The diagnostics that are shown of a text."""
        return self._found.get(uri, [])


def _remark(message: str) -> Report:
    return {
        "code": None, "severity": "information", "message": message, "fix": None,
        "range": [0, 0, 0, 0], "file": None, "notes": [],
    }  # fmt: skip


def _diagnostic(record: Report, uri: str) -> lsp.Diagnostic:
    notes = [
        lsp.DiagnosticRelatedInformation(
            lsp.Location(_uri(n["file"], uri), _range(n["range"])), n["message"]
        )
        for n in record["notes"]
        if n["range"] is not None
    ]
    remarks = [n["message"] for n in record["notes"] if n["range"] is None]
    message = "\n".join([record["message"], *remarks])
    if record["file"] is not None:
        message = f"{record['file']}: {message}"
    elsewhere = record["range"] is None or record["file"] is not None
    return lsp.Diagnostic(
        _range([0, 0, 0, 0] if elsewhere else record["range"]),
        message,
        _SEVERITY.get(record["severity"], lsp.DiagnosticSeverity.Information),
        record["code"],
        source="nasdsl",
        tags=[lsp.DiagnosticTag.Unnecessary] if record["code"] in _UNUSED else None,
        related_information=notes or None,
    )


def _uri(file: str | None, own: str) -> str:
    return own if file is None else from_fs_path(str(Path(file).resolve())) or own


def _range(place: Sequence[int]) -> lsp.Range:
    line, column, end_line, end_column = place
    return lsp.Range(lsp.Position(line, column), lsp.Position(end_line, end_column))


def _span(positions: Positions, span: Span) -> lsp.Range:
    return _range([*positions.place(span.start), *positions.place(span.end)])


def _offset(document: Document, position: lsp.Position) -> int:
    return document.positions.offset(position.line, position.character)


def _location(server: Server, uri: str, span: Span) -> lsp.Location:
    document = server.document(uri)
    if span.source.name == document.name:
        return lsp.Location(uri, _span(document.positions, span))
    return lsp.Location(
        _uri(span.source.name, uri), _span(Positions(span.source.text, server.encoding), span)
    )


def _item(document: Document, offset: int, number: int, candidate: Candidate) -> lsp.CompletionItem:
    start = offset - len(document.place(offset).prefix)
    where = _span(document.positions, Span(document.tree.source, start, offset))
    return lsp.CompletionItem(
        candidate.label,
        kind=_ITEM_KINDS[candidate.sort],
        detail=candidate.detail or None,
        documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, candidate.text)
        if candidate.text
        else None,
        sort_text=f"{number:04}",
        filter_text=candidate.insert or candidate.label,
        text_edit=lsp.TextEdit(where, candidate.insert or candidate.label),
    )


def _edits(before: str, after: str, positions: Positions) -> list[lsp.TextEdit]:
    """The lines that differ, so that the cursor and marks of the others stay."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    edits = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            where = [*positions.place(starts[a]), *positions.place(starts[b])]
            edits.append(lsp.TextEdit(_range(where), "".join(new[c:d])))
    return edits


def _outline(document: Document) -> list[lsp.DocumentSymbol]:
    made: list[lsp.DocumentSymbol] = []
    owners: dict[int, lsp.DocumentSymbol] = {}
    for symbol in document.index.symbols:
        kind = _SYMBOL_KINDS.get(symbol.kind)
        if kind is None:
            continue
        entry = lsp.DocumentSymbol(
            symbol.name,
            kind,
            _span(document.positions, _whole(symbol)),
            _span(document.positions, symbol.span),
            detail=symbol.kind,
            children=[],
        )
        owner = owners.get(id(symbol.owner))
        if owner is not None and owner.children is not None:
            entry.children = None
            cast = list(owner.children)
            owner.children = [*cast, entry]
            continue
        if isinstance(symbol.owner, s.NetworkBody | s.Neighborhood):
            word = "network" if isinstance(symbol.owner, s.NetworkBody) else "neighborhood"
            span = symbol.owner.span
            head = Span(span.source, span.start, span.start + len(word))
            group = lsp.DocumentSymbol(
                word,
                lsp.SymbolKind.Namespace,
                _span(document.positions, span),
                _span(document.positions, head),
                children=[entry],
            )
            owners[id(symbol.owner)] = group
            made.append(group)
            continue
        owners[id(symbol.owner)] = entry
        made.append(entry)
    return made


def _whole(symbol: Symbol) -> Span:
    span = symbol.node.span
    return span if span.start <= symbol.span.start and symbol.span.end <= span.end else symbol.span


def build() -> Server:
    """A server with all its features."""
    server = Server()

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    def opened(ls: Server, params: lsp.DidOpenTextDocumentParams) -> None:
        ls.changed(params.text_document.uri, params.text_document.version)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def changed(ls: Server, params: lsp.DidChangeTextDocumentParams) -> None:
        ls.changed(params.text_document.uri, params.text_document.version)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    def saved(ls: Server, params: lsp.DidSaveTextDocumentParams) -> None:
        # What the file uses may have been saved too.
        ls.changed(params.text_document.uri, None)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def closed(ls: Server, params: lsp.DidCloseTextDocumentParams) -> None:
        ls.closed(params.text_document.uri)

    @server.feature(lsp.SHUTDOWN)
    async def shut_down(ls: Server, params: None) -> None:
        await ls.close()

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    def hovered(ls: Server, params: lsp.HoverParams) -> lsp.Hover | None:
        document = ls.document(params.text_document.uri)
        offset = _offset(document, params.position)
        found = hover(document, offset, ls.facts(params.text_document.uri))
        if found is None:
            return None
        text, span = found
        content = lsp.MarkupContent(lsp.MarkupKind.Markdown, text)
        return lsp.Hover(content, _span(document.positions, span))

    @server.feature(
        lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=list('.("{=,|: '))
    )
    def completed(ls: Server, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        document = ls.document(params.text_document.uri)
        offset = _offset(document, params.position)
        found = complete(document, offset)
        return [_item(document, offset, number, c) for number, c in enumerate(found)]

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    def defined(ls: Server, params: lsp.DefinitionParams) -> list[lsp.Location]:
        uri = params.text_document.uri
        document = ls.document(uri)
        spans = renaming.definitions(document, _offset(document, params.position))
        return [_location(ls, uri, span) for span in spans]

    @server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
    def referred(ls: Server, params: lsp.ReferenceParams) -> list[lsp.Location]:
        uri = params.text_document.uri
        document = ls.document(uri)
        spans = renaming.places(
            document, _offset(document, params.position), params.context.include_declaration
        )
        return [_location(ls, uri, span) for span in spans]

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    def highlighted(ls: Server, params: lsp.DocumentHighlightParams) -> list[lsp.DocumentHighlight]:
        document = ls.document(params.text_document.uri)
        spans = renaming.places(document, _offset(document, params.position), True)
        return [lsp.DocumentHighlight(_span(document.positions, span)) for span in spans]

    @server.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
    def prepared(
        ls: Server, params: lsp.PrepareRenameParams
    ) -> lsp.PrepareRenamePlaceholder | None:
        document = ls.document(params.text_document.uri)
        found = document.index.at(_offset(document, params.position))
        if found is None:
            return None
        span, _ = found
        return lsp.PrepareRenamePlaceholder(_span(document.positions, span), span.text)

    @server.feature(lsp.TEXT_DOCUMENT_RENAME, lsp.RenameOptions(prepare_provider=True))
    def renamed(ls: Server, params: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
        uri = params.text_document.uri
        document = ls.document(uri)
        try:
            spans = renaming.rename(document, _offset(document, params.position), params.new_name)
        except renaming.RenameError as error:
            ls.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, str(error)))
            return None
        edits = [lsp.TextEdit(_span(document.positions, span), params.new_name) for span in spans]
        return lsp.WorkspaceEdit({uri: edits})

    @server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
    def formatted(ls: Server, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit] | None:
        document = ls.document(params.text_document.uri)
        try:
            after = format_text(document.text, document.name)
        except DiagnosticError:
            return None  # the mistakes are shown in the text
        return _edits(document.text, after, document.positions)

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def outlined(ls: Server, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        return _outline(ls.document(params.text_document.uri))

    @server.feature(lsp.TEXT_DOCUMENT_CODE_ACTION)
    def mended(ls: Server, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        uri = params.text_document.uri
        start, end = params.range.start, params.range.end
        actions = []
        for record in ls.found(uri):
            if record["fix"] is None or record["range"] is None or record["file"] is not None:
                continue
            where = _range(record["range"])
            if where.end < start or end < where.start:
                continue
            edit = lsp.WorkspaceEdit({uri: [lsp.TextEdit(where, record["fix"])]})
            actions.append(
                lsp.CodeAction(
                    f"Write {record['fix']}", kind=lsp.CodeActionKind.QuickFix, edit=edit
                )
            )
        return actions

    return server


def serve() -> None:
    """Serve one editor over standard input and output."""
    logging.basicConfig(level=logging.WARNING)
    build().start_io()
