"""Files and folders that are there completely or not at all, whenever the process dies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Puts a file in place, on the disk, in one step."""
    beside = path.with_name(f".{path.name}.new")
    _written(beside, content)
    os.replace(beside, path)
    _flush_folder(path.parent)


def write_folder(path: Path, contents: Mapping[str, str | bytes]) -> None:
    """Puts a folder of files in place; one that is there already is replaced.

    Killed between the two renames, the old folder is found under another name by
    :func:`mend`, which puts it back.
    """
    beside, old = _beside(path)
    for leftover in (beside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    beside.mkdir(parents=True)
    for name, content in contents.items():
        _written(beside / name, content)
    _flush_folder(beside)
    if path.exists():
        os.rename(path, old)
    os.rename(beside, path)
    _flush_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def mend(path: Path) -> None:
    """Ends a :func:`write_folder` that was cut short: the old folder is back or gone."""
    beside, old = _beside(path)
    if old.exists() and not path.exists():
        os.rename(old, path)
    for leftover in (beside, old):
        shutil.rmtree(leftover, ignore_errors=True)


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")


def _written(path: Path, content: str | bytes) -> None:
    data = content.encode("utf-8") if isinstance(content, str) else content
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """A rename is on the disk when its folder is; Windows has no such handle, and no need."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
