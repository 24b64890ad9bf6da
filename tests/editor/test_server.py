"""The language server as an editor meets it: a process, spoken to over its standard streams."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pygls", reason="the language server needs the extra 'lsp'")

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from nasdsl.language.format import format_text
from tests.editor.marked import TINY

ASTRAL = format_text(
    TINY.replace("a first space", "𝔘𝔘 a first space").replace(">> maxpool(2)", ">> maxpool(2) # 𝔘")
)


class Editor:
    """An editor with one text open."""

    def __init__(self, client: LanguageClient, uri: str):
        self.client = client
        self.uri = uri
        self.text = ""
        self.version = 0
        self.shown: list[lsp.PublishDiagnosticsParams] = []
        self.messages: list[str] = []
        self.news = asyncio.Event()

    async def write(self, text: str) -> None:
        self.text = text
        self.version += 1
        if self.version == 1:
            item = lsp.TextDocumentItem(self.uri, "nas", self.version, text)
            self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
            return
        name = lsp.VersionedTextDocumentIdentifier(self.version, self.uri)
        change = [lsp.TextDocumentContentChangeWholeDocument(text)]
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(name, change))

    async def diagnostics(self) -> list[lsp.Diagnostic]:
        """Those of the newest version, as soon as they are there."""
        while not self.shown or self.shown[-1].version != self.version:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 60)
        return list(self.shown[-1].diagnostics)

    def at(self, word: str, shift: int = 0) -> lsp.Position:
        """Where a word stands, in UTF-16 code units."""
        before = self.text[: self.text.index(word) + shift]
        line = before.rpartition("\n")[2]
        return lsp.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)

    def cut(self, where: lsp.Range) -> str:
        """The text of a range, counted in UTF-16."""
        lines = [line.encode("utf-16-le") for line in self.text.split("\n")]
        a, b = where.start, where.end
        if a.line == b.line:
            return lines[a.line][2 * a.character : 2 * b.character].decode("utf-16-le")
        middle = lines[a.line + 1 : b.line]
        parts = [lines[a.line][2 * a.character :], *middle, lines[b.line][: 2 * b.character]]
        return b"\n\0".join(parts).decode("utf-16-le")

    def edited(self, edits: list[lsp.TextEdit]) -> str:
        """The text after edits."""
        text = self.text
        starts = [0]
        for line in text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)

        def offset(p: lsp.Position) -> int:
            line = text[starts[p.line] :].split("\n")[0].encode("utf-16-le")
            return starts[p.line] + len(line[: 2 * p.character].decode("utf-16-le"))

        for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character))[
            ::-1
        ]:
            a, b = offset(edit.range.start), offset(edit.range.end)
            text = text[:a] + edit.new_text + text[b:]
        return text

    @property
    def name(self) -> lsp.TextDocumentIdentifier:
        return lsp.TextDocumentIdentifier(self.uri)


@asynccontextmanager
async def editing(path: Path) -> AsyncIterator[tuple[Editor, lsp.InitializeResult]]:
    client = LanguageClient("test", "1")
    editor = Editor(client, path.as_uri())

    @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def published(params: lsp.PublishDiagnosticsParams) -> None:
        editor.shown.append(params)
        editor.news.set()

    @client.feature(lsp.WINDOW_SHOW_MESSAGE)
    def message(params: lsp.ShowMessageParams) -> None:
        editor.messages.append(params.message)

    await client.start_io(sys.executable, "-m", "nasdsl", "lsp", "--stdio")
    asked = lsp.InitializeParams(lsp.ClientCapabilities())
    result = await client.initialize_async(asked)
    client.initialized(lsp.InitializedParams())
    try:
        yield editor, result
    finally:
        await asyncio.wait_for(client.shutdown_async(None), 20)
        client.exit(None)
        await asyncio.wait_for(client.stop(), 20)


def scenario(path: Path, steps: Callable[[Editor], Awaitable[Any]]) -> None:
    async def go() -> None:
        async with editing(path) as (editor, _):
            await steps(editor)

    asyncio.run(go())


def test_an_editing_session(tmp_path: Path) -> None:
    """One process from the first letter to the last; the text has astral characters."""
    scenario(tmp_path / "a.nas", _session)


async def _session(e: Editor) -> None:
    await e.write(ASTRAL)
    assert await e.diagnostics() == []

    # Mistakes as they are typed, at the right place behind astral characters.
    wrong = ASTRAL.replace("# two copies", "# 𝔘 two").replace("Op(width) * 2", "Opp(width) * 2")
    await e.write(wrong.replace("architectures before", "𝔘 architectures before"))
    (found,) = [d for d in await e.diagnostics() if d.severity == lsp.DiagnosticSeverity.Error]
    assert found.code == "NAS101" and e.cut(found.range) == "Opp" and "Op" in found.message
    await e.write(ASTRAL)
    assert await e.diagnostics() == []

    # Hover, with the count that the checker has worked out.
    for _ in range(100):
        hover = await e.client.text_document_hover_async(
            lsp.HoverParams(e.name, e.at("digits_tiny", 3))
        )
        assert hover is not None and isinstance(hover.contents, lsp.MarkupContent)
        if "4,032" in hover.contents.value.partition("```\n\n")[2]:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("the size of the space was never shown")
    assert hover.range is not None and e.cut(hover.range) == "digits_tiny"
    assert await e.client.text_document_hover_async(lsp.HoverParams(e.name, e.at("\n\n"))) is None

    # Completion replaces what is written of the word.
    asked = lsp.CompletionParams(e.name, e.at("avgpool(3", 3))
    items = await e.client.text_document_completion_async(asked)
    assert isinstance(items, list)
    pool = next(i for i in items if i.label == "avgpool")
    assert isinstance(pool.text_edit, lsp.TextEdit) and e.cut(pool.text_edit.range) == "avg"

    # Definition and references.
    asked_at = e.at("Op(width)) * depth")
    places = await e.client.text_document_definition_async(lsp.DefinitionParams(e.name, asked_at))
    assert isinstance(places, list) and len(places) == 1 and isinstance(places[0], lsp.Location)
    assert places[0].range.start == e.at("Op(c) =") and places[0].uri == e.uri
    references = await e.client.text_document_references_async(
        lsp.ReferenceParams(lsp.ReferenceContext(include_declaration=False), e.name, asked_at)
    )
    assert references is not None and len(references) == 2
    marks = await e.client.text_document_document_highlight_async(
        lsp.DocumentHighlightParams(e.name, asked_at)
    )
    assert marks is not None and len(marks) == 3

    # Renaming.
    ready = await e.client.text_document_prepare_rename_async(
        lsp.PrepareRenameParams(e.name, asked_at)
    )
    assert isinstance(ready, lsp.PrepareRenamePlaceholder) and ready.placeholder == "Op"
    change = await e.client.text_document_rename_async(lsp.RenameParams(e.name, asked_at, "Choice"))
    assert change is not None and change.changes is not None
    renamed = e.edited(list(change.changes[e.uri]))
    assert renamed == ASTRAL.replace("Op(", "Choice(")
    refused = await e.client.text_document_rename_async(
        lsp.RenameParams(e.name, asked_at, "ConvBnRelu")
    )
    assert refused is None

    # Formatting changes what it must, and leaves a broken text alone.
    await e.write(ASTRAL.replace("conv(c, k, bias=false) >>", "conv( c,k , bias = false)>>"))
    options = lsp.FormattingOptions(2, True)
    edits = await e.client.text_document_formatting_async(
        lsp.DocumentFormattingParams(e.name, options)
    )
    assert edits is not None and len(edits) == 1
    assert e.edited(list(edits)) == format_text(e.text) == ASTRAL
    await e.write(ASTRAL + "\nlet = 3\n")
    broken = await e.client.text_document_formatting_async(
        lsp.DocumentFormattingParams(e.name, options)
    )
    assert not broken

    # The outline.
    await e.write(ASTRAL)
    outline = await e.client.text_document_document_symbol_async(lsp.DocumentSymbolParams(e.name))
    assert outline is not None
    names = {o.name: o for o in outline if isinstance(o, lsp.DocumentSymbol)}
    assert {"digits_tiny", "ConvBnRelu", "Op", "network", "neighborhood"} <= set(names)
    assert [c.name for c in names["Op"].children or ()] == ["skip", "conv3x3", "conv5x5", "pool"]
    for entry in names.values():
        assert entry.range.start <= entry.selection_range.start
        assert entry.selection_range.end <= entry.range.end
    assert any("ConvBnRelu" in m for m in e.messages)


def test_unused_names_are_marked_as_such_and_closing_clears(tmp_path: Path) -> None:
    async def steps(e: Editor) -> None:
        await e.write(TINY + "\nlet unused = 3\n")
        (found,) = await e.diagnostics()
        assert found.severity == lsp.DiagnosticSeverity.Warning
        assert list(found.tags or ()) == [lsp.DiagnosticTag.Unnecessary]
        e.client.text_document_did_close(lsp.DidCloseTextDocumentParams(e.name))
        while e.shown[-1].diagnostics:
            e.news.clear()
            await asyncio.wait_for(e.news.wait(), 20)

    scenario(tmp_path / "b.nas", steps)


def test_saving_checks_again_what_is_brought_in(tmp_path: Path) -> None:
    inner = tmp_path / "inner.nas"
    inner.write_text(TINY)

    async def steps(e: Editor) -> None:
        (tmp_path / "outer.nas").write_text('use "inner.nas"\n')
        await e.write('use "inner.nas"\n')
        assert await e.diagnostics() == []
        inner.write_text("let = 3\n" + TINY)
        before = len(e.shown)
        e.client.text_document_did_save(lsp.DidSaveTextDocumentParams(e.name))
        while len(e.shown) == before:
            e.news.clear()
            await asyncio.wait_for(e.news.wait(), 60)
        (found,) = e.shown[-1].diagnostics
        assert "inner.nas" in found.message
        assert found.related_information

    scenario(tmp_path / "outer.nas", steps)


def test_the_server_says_what_it_can(tmp_path: Path) -> None:
    async def go() -> lsp.InitializeResult:
        async with editing(tmp_path / "c.nas") as (_, result):
            return result

    can = asyncio.run(go()).capabilities
    assert can.text_document_sync is not None
    assert can.hover_provider and can.completion_provider and can.definition_provider
    assert can.rename_provider and can.document_formatting_provider
    assert can.document_symbol_provider and can.references_provider
    assert can.position_encoding in (None, lsp.PositionEncodingKind.Utf16)
