"""Files that a user names: every way in which they can be unusable has its diagnostic."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from nasdsl.cli.files import read_json, read_source, write_text
from nasdsl.diagnostics import Diagnostic, DiagnosticError


def refused(function, *args) -> Diagnostic:
    with pytest.raises(DiagnosticError) as caught:
        function(*args)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def test_a_text_is_read_as_it_is_without_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.nas"
    path.write_bytes("\ufeffspace ä\r\n".encode())
    source = read_source(str(path))
    assert source.text == "space ä\r\n"
    assert source.name == str(path)


def test_a_missing_file_suggests_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "quickstart.nas").touch()
    found = refused(read_source, str(tmp_path / "quickstat.nas"))
    assert found.code == "NAS901"
    assert "did you mean 'quickstart.nas'?" in found.message


def test_a_missing_folder_is_a_missing_file(tmp_path: Path) -> None:
    assert refused(read_source, str(tmp_path / "no" / "x.nas")).code == "NAS901"


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert refused(read_source, str(tmp_path)).code == "NAS902"


def test_a_name_that_no_file_can_have() -> None:
    assert refused(read_source, "a\0b").code == "NAS903"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "x.nas"
    path.touch(0o000)
    found = refused(read_source, str(path))
    assert found.code == "NAS903"
    assert "permission denied" in found.message


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    found = refused(read_source, str(tmp_path / "x" / "y.nas"))
    assert (found.code, "not a directory" in found.message) == ("NAS903", True)


def test_other_encodings_are_named_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "x.nas"
    path.write_bytes(b"space a\n# caf\xe9\n")
    found = refused(read_source, str(path))
    assert found.code == "NAS904"
    assert "0xe9 at offset 13, line 2" in found.message


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"space x")))
    assert read_source("-").text == "space x"


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"rank": 7}')
    assert read_json(str(path)) == {"rank": 7}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("", 1, 1), ("{", 1, 2), ('{"a": 1,\n "b" 2}', 2, 6), ("1 2", 1, 3)],
)
def test_broken_json_has_a_place(tmp_path: Path, text: str, line: int, column: int) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    found = refused(read_json, str(path))
    assert found.code == "NAS905"
    assert found.span is not None
    assert (found.span.line, found.span.column) == (line, column)
    assert str(found.record()["line"]) == str(line)


def test_json_nested_without_end(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[" * 200_000)
    assert refused(read_json, str(path)).code == "NAS905"


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
    assert refused(write_text, str(tmp_path), "x").code == "NAS907"
    found = refused(write_text, str(tmp_path / "no" / "x"), "x")
    assert (found.code, "no such file or directory" in found.message) == ("NAS907", True)
    assert list(tmp_path.iterdir()) == []
