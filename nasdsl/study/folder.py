"""The run folder: what a run was started with, written before anything else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nasdsl.diagnostics import problem
from nasdsl.study import files, store
from nasdsl.version import __version__

TEXT = "space.nas"
OVERRIDES = "overrides.json"
REPORT = "report.html"
RUNS = Path("runs")


@dataclass(frozen=True, slots=True)
class Start:
    """What a run is started with.

    Attributes:
        name: of the space.
        text: the exact text of the file.
        overrides: settings of the command line, by name.
        base_folder: what relative paths in the text are relative to.
        used: the files that the text uses, by their path relative to it.
    """

    name: str
    text: str
    overrides: Mapping[str, str]
    base_folder: str
    used: tuple[tuple[str, str], ...] = ()


def make(start: Start, out: Path | None, head: Mapping[str, Any]) -> Path:
    """A new run folder with an empty study: ``out``, or the next free ``runs/NAME-N``.

    The folder is made beside its place and renamed, so that it is there completely or not at
    all. Raises a diagnostic where ``out`` holds something already or cannot be written.
    """
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        hint = "; go on with it by --resume" if (out / store.NAME).exists() else ""
        raise problem("NAS603", f"'{out}' exists and is not an empty folder{hint}")
    parent = RUNS if out is None else out.parent
    label = start.name if out is None else out.name
    beside = parent / f".{label}.{os.getpid()}.new"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        files.write(beside / TEXT, start.text)
        for name, text in start.used:
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            files.write(beside / name, text)
        files.write(beside / OVERRIDES, json.dumps(dict(start.overrides), indent=2) + "\n")
        store.create(
            beside,
            {
                "name": start.name,
                "base_folder": start.base_folder,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "nasdsl": __version__,
                **head,
            },
        )
        return _placed(beside, out, start.name)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise problem(
            "NAS601", f"cannot make the run folder in '{parent}': {error.strerror}"
        ) from error


def _placed(beside: Path, out: Path | None, name: str) -> Path:
    if out is not None:
        if out.exists():
            out.rmdir()
        os.rename(beside, out)
        return out
    number = 1
    while True:
        place = RUNS / f"{name}-{number}"
        # Another process may take the name in between: renaming onto its folder then fails.
        if not place.exists():
            try:
                os.rename(beside, place)
                return place
            except OSError:
                if not place.exists():
                    raise
        number += 1


def start_of(folder: Path, head: Mapping[str, Any]) -> Start:
    """What the run in a folder was started with."""
    try:
        text = (folder / TEXT).read_bytes().decode("utf-8")
        overrides = json.loads((folder / OVERRIDES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise problem(
            "NAS609", f"'{folder}' lacks what its run was started with: {error}"
        ) from error
    return Start(head["name"], text, overrides, head["base_folder"])
