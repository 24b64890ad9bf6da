"""Keeps a checking process busy with the newest text, and stops it where it takes too long."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nasdsl.editor.positions import Encoding

Report = dict[str, Any]

COMMAND = (sys.executable, "-m", "nasdsl.editor.worker")
"""What is started to check texts."""


@dataclass(frozen=True, slots=True)
class Request:
    """A text to check: under which key it is reported, its version, and its name (a path)."""

    key: str
    version: int | None
    name: str
    text: str
    encoding: Encoding = "utf-16"


class Analyst:
    """Checks one text after another, the newest of each key only.

    ``tell(request, report)`` is called with each report of :mod:`nasdsl.editor.worker` as it
    comes, and with ``{"kind": "slow"}`` where the process was stopped at the limit, or
    ``{"kind": "failed", "trace": …}`` where it ended by itself, which is a bug of ours.

    Args:
        tell: is told the reports, in the event loop.
        delay: seconds that a text must stay as it is before it is checked.
        patience: seconds after which a check that an edit has made useless is stopped.
        limit: seconds after which any check is stopped.
    """

    def __init__(
        self,
        tell: Callable[[Request, Report], None],
        delay: float = 0.15,
        patience: float = 1.0,
        limit: float = 30.0,
    ):
        self._tell = tell
        self._delay = delay
        self._patience = patience
        self._limit = limit
        self._waiting: dict[str, Request] = {}
        self._changed = asyncio.Event()
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._number = 0

    def submit(self, request: Request) -> None:
        """Have a text checked; takes the place of an earlier one of the same key."""
        self._waiting.pop(request.key, None)
        self._waiting[request.key] = request
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._work())

    def withdraw(self, key: str) -> None:
        """Check nothing more under a key."""
        self._waiting.pop(key, None)

    async def close(self) -> None:
        """Stop checking, and the process."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        await self._stop()

    async def _work(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._delay)
            if not self._waiting:
                break
            key = next(iter(self._waiting))
            request = self._waiting.pop(key)
            self._changed.clear()
            await self._check(request)

    async def _check(self, request: Request) -> None:
        process = await self._started()
        self._number += 1
        line = {
            "id": self._number,
            "name": request.name,
            "text": request.text,
            "encoding": request.encoding,
        }
        reading = asyncio.ensure_future(self._read(process, request, self._number))
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(line).encode() + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reading side tells how it ended
        while not reading.done():
            left = self._limit - (loop.time() - began)
            if left <= 0:
                await self._stop()
                self._tell(request, {"kind": "slow"})
                break
            if request.key in self._waiting and loop.time() - began > self._patience:
                await self._stop()
                break
            newer: asyncio.Future[Any] = asyncio.ensure_future(self._changed.wait())
            timeout = self._patience if request.key in self._waiting else left
            wait: set[asyncio.Future[Any]] = {reading}
            if not self._changed.is_set():
                wait.add(newer)
            await asyncio.wait(wait, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            newer.cancel()
        await reading

    async def _read(self, process: Process, request: Request, number: int) -> None:
        assert process.stdout is not None and process.stderr is not None
        while True:
            line = await process.stdout.readline()
            if not line:
                break
            report = json.loads(line)
            if report["id"] != number:
                continue
            if report["kind"] == "end":
                return
            self._tell(request, report)
        if process is self._process:  # it was not stopped by us
            self._process = None
            trace = (await process.stderr.read()).decode("utf-8", "replace")
            await process.wait()
            self._tell(request, {"kind": "failed", "trace": trace})

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *COMMAND,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                limit=2**26,
            )
        return self._process

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
