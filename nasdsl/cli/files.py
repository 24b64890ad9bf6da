"""Files that a command writes, with clear diagnostics where it cannot."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from nasdsl.diagnostics import problem

STREAM = "-"
"""The name under which a user means standard input or output."""


def write_text(path: str, text: str) -> None:
    """Put a text in a file, whole or not at all; an existing file keeps its permissions.

    Raises:
        DiagnosticError: the place cannot be written (NAS904).
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
        reason = (error.strerror or str(error)).lower()
        raise problem("NAS904", f"'{path}' cannot be written: {reason}") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
