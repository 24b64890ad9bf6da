"""Files that a command writes: whole, or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from nasdsl.cli.files import write_text
from nasdsl.diagnostics import Diagnostic, DiagnosticError


def refused(function, *args) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        function(*args)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def test_writing_replaces_a_file_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("old")
    path.chmod(0o640)
    write_text(str(path), "new ä\n")
    assert path.read_bytes() == "new ä\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_text(str(tmp_path / "new"), "")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_writing_through_a_link_changes_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write_text(str(tmp_path / "link"), "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    assert refused(write_text, str(tmp_path), "x").code == "NAS904"
    found = refused(write_text, str(tmp_path / "no" / "x"), "x")
    assert (found.code, "no such file or directory" in found.message) == ("NAS904", True)
    assert list(tmp_path.iterdir()) == []
