"""Files and folders are old or new, never half, wherever the process dies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nasdsl.study import files

STEPS = ("rename", "fsync", "rmtree")


class Killed(BaseException):
    """The process died."""


def fail_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Lets the first ``step`` operations on the disk happen and dies before the next."""
    left = step

    def guarded(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return real(*args, **kwargs)

        return call

    for owner, name in ((os, "rename"), (os, "replace"), (os, "fsync"), (files.shutil, "rmtree")):
        monkeypatch.setattr(owner, name, guarded(getattr(owner, name)))


def contents(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in folder.iterdir()}


OLD = {"a": "1", "b": "2"}
NEW = {"a": "3", "c": "4"}


@pytest.mark.parametrize("step", range(16))
def test_a_folder_is_old_or_new(tmp_path: Path, step: int) -> None:
    place = tmp_path / "best"
    files.write_folder(place, OLD)
    with pytest.MonkeyPatch.context() as patch:
        fail_at(patch, step)
        try:
            files.write_folder(place, NEW)
            killed = False
        except Killed:
            killed = True
    files.mend(place)
    assert contents(place) in ([OLD, NEW] if killed else [NEW])
    assert [p.name for p in tmp_path.iterdir()] == ["best"]


def test_the_steps_reach_the_end(tmp_path: Path) -> None:
    """The range above covers every operation: the last of them changes nothing any more."""
    place = tmp_path / "best"
    files.write_folder(place, OLD)
    with pytest.MonkeyPatch.context() as patch:
        fail_at(patch, 15)
        files.write_folder(place, NEW)


@pytest.mark.parametrize("step", range(4))
def test_a_file_is_old_or_new(tmp_path: Path, step: int) -> None:
    place = tmp_path / "report.html"
    files.write(place, "old")
    with pytest.MonkeyPatch.context() as patch:
        fail_at(patch, step)
        try:
            files.write(place, "new")
        except Killed:
            assert place.read_text() in ("old", "new")
            return
    assert place.read_text() == "new"
