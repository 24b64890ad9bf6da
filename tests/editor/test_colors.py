"""Colors: the lexer for Pygments and the TextMate grammar."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token, _TokenType

from nasdsl.editor.lexer import NasLexer
from nasdsl.language.grammar import build_parser
from nasdsl.language.parser import STATEMENTS
from tests.editor.marked import ROOT, SHIPPED, TINY

VSCODE = ROOT / "editors" / "vscode"
KEYWORDS = sorted(
    p
    for t in build_parser(None).terminals
    if (p := t.pattern.value.removesuffix("\\b")).isalpha() and p.islower()
)


def lexed(text: str) -> list[tuple[_TokenType, str]]:
    return [(kind, value) for kind, value in NasLexer().get_tokens(text) if value.strip()]


def kind(text: str, word: str) -> _TokenType:
    return next(kind for kind, value in lexed(text) if value == word)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_shipped_files_have_no_error_tokens(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tokens = list(NasLexer().get_tokens(text))
    assert not [value for kind, value in tokens if kind in Token.Error]
    assert "".join(value for _, value in tokens) == text


@given(st.text(max_size=60))
def test_the_lexer_keeps_every_character(text: str) -> None:
    lexer = NasLexer(stripnl=False, ensurenl=False)
    lexed_text = "".join(value for _, value in lexer.get_tokens(text))
    assert lexed_text == text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        (TINY, "space", Keyword.Declaration),
        (TINY, "digits_tiny", Name.Class),
        (TINY, "skip", Name.Label),
        (TINY, "conv", Name.Function),
        (TINY, "bias", Name.Attribute),
        (TINY, "momentum", Name.Attribute),
        (TINY, "false", Keyword.Constant),
        (TINY, "where", Keyword),
        (TINY, "60k", Number.Integer),
        (TINY, "5e-4", Number.Float),
        (TINY, ">>", Operator),
        (TINY, "step", Keyword),
        (TINY, "maximize", Keyword),
        (TINY, "params", Name),
        ("let a = 1 # b", "# b", Comment.Single),
        ('key "{n[1].0}~0"', "{n[1].0}", String.Interpol),
        ('key "a\\nb"', "\\n", String.Escape),
        ("let a = step(1)", "step", Name.Function),
        ('let a = "open\n', '"', String.Double),
    ],
)
def test_words_are_what_they_mean(text: str, word: str, expected: _TokenType) -> None:
    assert kind(text, word) is expected


def test_every_keyword_of_the_grammar_is_colored_somewhere() -> None:
    as_name = {"params", "macs"}  # facts of a declared operation, and quantities elsewhere
    for word in KEYWORDS:
        text = word if word in STATEMENTS else f"let a = b {word} c"
        color = kind(text, word)
        assert word in as_name or color in Keyword or color in Operator.Word, word


def test_pygments_finds_the_lexer() -> None:
    (point,) = [p for p in entry_points(group="pygments.lexers") if p.name == "nas"]
    assert point.load() is NasLexer
    assert "*.nas" in NasLexer.filenames


# ---- TextMate


def textmate() -> dict[str, object]:
    found: dict[str, object] = json.loads(
        (VSCODE / "syntaxes" / "nas.tmLanguage.json").read_text(encoding="utf-8")
    )
    return found


def test_the_textmate_grammar_knows_every_keyword() -> None:
    patterns = json.dumps(textmate())
    for word in KEYWORDS:
        if word not in ("params", "macs"):
            assert re.search(rf"[|(]{word}[|)]", patterns), word


def test_what_the_extension_names_is_there() -> None:
    package = json.loads((VSCODE / "package.json").read_text(encoding="utf-8"))
    contributes = package["contributes"]
    for entry in [*contributes["grammars"], {"path": contributes["languages"][0]["configuration"]}]:
        assert (VSCODE / entry["path"]).is_file()
    assert contributes["grammars"][0]["scopeName"] == textmate()["scopeName"]
    assert contributes["languages"][0]["extensions"] == [".nas"]
    for name in ("language-configuration.json", "syntaxes/markdown.tmLanguage.json"):
        json.loads((VSCODE / name).read_text(encoding="utf-8"))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not (VSCODE / "node_modules" / "vscode-textmate").is_dir(),
    reason="run 'npm install' in editors/vscode to test the TextMate grammar",
)
def test_the_textmate_grammar_colors_as_expected() -> None:
    done = subprocess.run(
        ["node", "test/grammar.js"], cwd=VSCODE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert " 0 mistakes" in done.stdout
