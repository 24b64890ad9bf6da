"""Files that a user names on the command line: read and written with clear diagnostics."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from nasdsl.diagnostics import Source, Span, problem, suggestion

STDIN = "-"


def read_source(path: str) -> Source:
    """The text of a file, or of standard input for ``-``.

    Raises:
        DiagnosticError: the file is not there (NAS901), is a folder (NAS902), cannot be read
            (NAS903), or is not UTF-8 (NAS904).
    """
    if path == STDIN:
        return Source("<stdin>", _decoded(sys.stdin.buffer.read(), "<stdin>"))
    return Source(path, _decoded(read_bytes(path), path))


def read_bytes(path: str) -> bytes:
    """The bytes of a file.

    Raises:
        DiagnosticError: the file is not there (NAS901), is a folder (NAS902), or cannot be
            read (NAS903).
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise problem("NAS901", f"there is no file '{path}'{_similar(path)}") from None
    except IsADirectoryError:
        raise problem("NAS902", f"'{path}' is a folder, and a file is needed") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise problem("NAS903", f"'{path}' cannot be read: {_reason(error)}") from None


def _decoded(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise problem(
            "NAS904",
            f"'{name}' is not UTF-8 text: byte 0x{data[error.start]:02x} "
            f"at offset {error.start}, line {line}",
        ) from None
    return text.removeprefix("\ufeff")


def read_json(path: str) -> Any:
    """The value that a JSON file holds.

    Raises:
        DiagnosticError: as :func:`read_source`, or the text is not JSON (NAS905, with the place).
    """
    source = read_source(path)
    try:
        return json.loads(source.text)
    except json.JSONDecodeError as error:
        at = min(error.pos, len(source.text))
        raise problem(
            "NAS905", f"this is not JSON: {error.msg}", Span(source, at, at + 1)
        ) from None
    except RecursionError:
        raise problem("NAS905", f"'{path}' is nested too deeply") from None


def write_text(path: str, text: str) -> None:
    """Put a text in a file, whole or not at all; an existing file keeps its permissions.

    Raises:
        DiagnosticError: the place cannot be written (NAS907).
    """
    target = Path(os.path.realpath(path))
    temporary = None
    try:
        if target.is_dir():
            raise IsADirectoryError(21, os.strerror(21))
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise problem("NAS907", f"'{path}' cannot be written: {_reason(error)}") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _similar(path: str) -> str:
    folder = Path(path).parent
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return ""
    return suggestion(Path(path).name, names)
