"""One writer to a run folder, held by a kernel lock that dies with its process."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO

from nasdsl.diagnostics import problem

try:
    import fcntl
except ImportError:  # no such module on Windows
    fcntl = None  # type: ignore[assignment]  # the name of a module is no variable

NAME = "study.lock"


class Lock:
    """An exclusive lock on a folder, taken at once or refused.

    The lock is on a file of its own: closing any handle of a database file would drop the locks
    that SQLite itself holds on it. The file stays behind; it is the lock that counts.
    """

    def __init__(self, folder: Path):
        path = folder / NAME
        try:
            # Append: the holder's name must survive a second one's attempt to open.
            self._file: IO[str] = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise problem("NAS601", f"cannot write in '{folder}': {error.strerror}") from error
        try:
            _take(self._file)
        except OSError as error:
            holder = _holder(path)
            self._file.close()
            raise problem(
                "NAS602",
                f"the run in '{folder}' is being written by another process{holder}; "
                "wait for it, or stop it first",
            ) from error
        # A full disk must not keep anyone from going on: the name is a courtesy.
        with suppress(OSError):
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()}")
            self._file.flush()

    def release(self) -> None:
        """Lets others write."""
        self._file.close()


def _take(file: IO[str]) -> None:
    if fcntl is not None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt

        file.seek(1 << 30)  # locked bytes cannot be read: lock one beyond the holder's name
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)


def _holder(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        text = ""
    return f" ({text})" if text else ""
