"""The parser that the grammar file defines, built once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef


def data_folder(name: str) -> Path:
    """``grammars`` or ``spaces``: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_data" / name
    return installed if installed.is_dir() else package.parent / name


@lru_cache(maxsize=1)
def grammar_text() -> str:
    """The text of the grammar."""
    return (data_folder("grammars") / "nas.lark").read_text(encoding="utf-8")


def build_parser(transformer: Any) -> lark.Lark:
    """An LALR(1) parser of one statement that calls the transformer at each rule.

    Building the tables takes longer than checking a file, so they are kept in the cache
    folder, keyed by the grammar and the versions of lark and Python. The cache holds plain
    data (no pickled objects); without a cache folder the tables are built afresh.
    """
    text = grammar_text()
    version = f"{lark.__version__} {sys.version_info[:3]} {text}"
    cached = _cache_file(hashlib.sha256(version.encode()).hexdigest()[:24])
    tables = _read(cached)
    if tables is None:
        parser = lark.Lark(
            text,
            parser="lalr",
            start="statement",
            keep_all_tokens=True,
            maybe_placeholders=False,
        )
        data, memo = parser.memo_serialize([TerminalDef, Rule])
        tables = {"data": data, "memo": memo}
        _write(cached, tables)
    instance: lark.Lark = lark.Lark.__new__(lark.Lark)
    return instance._load(tables, transformer=transformer)


def _cache_file(name: str) -> Path | None:
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "nasdsl" / f"grammar-{name}"
    except RuntimeError:
        return None


def _read(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        return marshal.loads(path.read_bytes())
    except (OSError, ValueError, EOFError, TypeError):
        return None


def _write(path: Path | None, tables: Any) -> None:
    if path is None:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(marshal.dumps(tables))
        os.replace(file.name, path)
    except (OSError, ValueError):
        return
