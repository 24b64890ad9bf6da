"""``check`` and ``fmt``."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Call


def test_a_sound_file(call: Call, quickstart: Path) -> None:
    answer = call("check", quickstart)
    assert (answer.code, answer.out, answer.err) == (0, f"{quickstart}: ok\n", "")
    assert call("check", quickstart, "--json").record == {"diagnostics": []}
    assert call("check", quickstart, "-q").out == ""


def test_every_mistake_is_told_with_its_place(call: Call, quickstart: Path, tmp_path: Path) -> None:
    text = quickstart.read_text()
    for right, wrong in (("avgpool", "avgpol"), ("step depth", "step dept"), ("cosine", "cosin")):
        assert text.count(right) >= 1
        text = text.replace(right, wrong, 1)
    path = tmp_path / "wrong.nas"
    path.write_text(text)
    answer = call("check", path, "--json")
    assert answer.code == 1
    found = answer.record["diagnostics"]
    lines = text.splitlines()
    for wrong in ("avgpol", "dept", "cosin"):
        (one,) = [d for d in found if f"'{wrong}'" in d["message"]]
        assert one["severity"] == "error"
        assert one["file"] == str(path)
        shown = lines[one["line"] - 1][one["column"] - 1 : one["end_column"] - 1]
        assert shown.startswith(wrong)
        assert one["end_line"] == one["line"]
    assert len(found) == 3


def test_several_files(call: Call, quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.nas").write_text("space")
    answer = call("check", quickstart, tmp_path / "wrong.nas", tmp_path / "none.nas", "--json")
    assert answer.code == 1
    files = [d["file"] for d in answer.record["diagnostics"]]
    assert str(tmp_path / "wrong.nas") in files
    assert answer.codes[-1] == "NAS901"
    assert f"{quickstart}: ok" in call("check", tmp_path / "wrong.nas", quickstart).out


def test_check_reads_overrides(call: Call, quickstart: Path) -> None:
    assert call("check", quickstart, "--set", "search.samples=3").code == 0
    answer = call("check", quickstart, "--set", "search.samples=many")
    assert answer.code == 1


UGLY = """space   x  "d"
input image[1,8,8]
output logits[10]
network=global_avgpool>>linear(10) # end
"""


def test_fmt_rewrites_a_file_once(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "x.nas"
    path.write_text(UGLY)
    first = call("fmt", path)
    assert (first.code, first.err) == (0, f"{path}: reformatted\n")
    formatted = path.read_text()
    assert formatted != UGLY
    assert "# end" in formatted
    before = path.stat().st_mtime_ns
    second = call("fmt", path)
    assert (second.code, second.out, second.err) == (0, "", "")
    assert path.stat().st_mtime_ns == before
    assert call("info", path, "--json").code == 0


def test_fmt_check_and_diff_write_nothing(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "x.nas"
    path.write_text(UGLY)
    assert call("fmt", "--check", path).code == 1
    diff = call("fmt", "--diff", path)
    assert diff.code == 0
    assert diff.out.startswith(f"--- {path} (before)\n+++ {path} (after)\n@@ ")
    assert "-network=global_avgpool>>linear(10) # end" in diff.out
    assert call("fmt", "--check", "--diff", path).code == 1
    assert call("fmt", "--check", "--json", path).record == {"file": str(path), "changed": True}
    assert path.read_text() == UGLY


def test_fmt_of_standard_input(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.nas"
    path.write_text(UGLY)
    call("fmt", path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UGLY.encode())))
    assert call("fmt", "-").out == path.read_text()


def test_fmt_leaves_a_broken_file(call: Call, tmp_path: Path) -> None:
    (tmp_path / "broken.nas").write_text("space x network = (")
    (tmp_path / "ugly.nas").write_text(UGLY)
    answer = call("fmt", tmp_path / "broken.nas", tmp_path / "ugly.nas")
    assert answer.code == 1
    assert "error[NAS" in answer.err
    assert (tmp_path / "broken.nas").read_text() == "space x network = ("
    assert (tmp_path / "ugly.nas").read_text() != UGLY


def test_the_quickstart_is_in_standard_form(call: Call, quickstart: Path) -> None:
    answer = call("fmt", "--check", "--diff", quickstart)
    assert (answer.code, answer.out) == (0, "")


def seconds(*command: str) -> float:
    """Processor time of a whole process, the least of some: others' load does not count."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTHON"))}
    found = []
    for _ in range(5):
        before = os.times()
        subprocess.run(
            [sys.executable, *command], check=True, capture_output=True, cwd=ROOT, env=env
        )
        after = os.times()
        user = after.children_user - before.children_user
        found.append(user + after.children_system - before.children_system)
    return min(found)


def test_check_answers_at_once(quickstart: Path) -> None:
    floor = seconds("-c", "import lark, networkx, click")
    assert seconds("-m", "nasdsl", "check", str(quickstart)) <= 2 * floor


def test_a_call_as_a_process(quickstart: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nasdsl"]
    good = subprocess.run([*command, "check", str(quickstart), "--json"], capture_output=True)
    assert (good.returncode, json.loads(good.stdout)) == (0, {"diagnostics": []})
    bad = subprocess.run([*command, "check", str(tmp_path)], capture_output=True, text=True)
    assert (bad.returncode, bad.stderr) == (1, "")
    assert "NAS902" in bad.stdout
