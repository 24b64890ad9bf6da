"""``init``, ``lsp``, and the drawings of ``show``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nasdsl.api import analyze
from nasdsl.cli import main
from nasdsl.diagnostics import Source
from nasdsl.language.format import format_text

SPACES = Path(__file__).resolve().parents[2] / "spaces"
NESTED = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("name", "space"),
    [("space.nas", "space"), ("my-cells.nas", "my_cells"), ("9.nas", "space_9"), ("é.nas", "_")],
)
def test_init_writes_a_file_that_is_sound_and_formatted(
    name: str, space: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", name]) == 0
    text = (tmp_path / name).read_text(encoding="utf-8")
    found = analyze(Source(name, text))
    assert found.diagnostics == () and found.space is not None
    assert found.space.name == space
    assert found.space.data is not None and found.space.goals and found.space.search is not None
    assert format_text(text) == text
    assert f"nasdsl run {name}" in text


def test_init_keeps_a_file_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.nas"
    path.write_text("mine")
    assert main(["init", str(path)]) == 1
    assert "NAS907" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main(["init", str(path), "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path)}
    assert path.read_text() != "mine"


def test_init_prints_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "-"]) == 0
    assert capsys.readouterr().out.startswith("# A search space")


def test_lsp_without_its_package_says_what_to_install() -> None:
    code = (
        "import sys\nsys.modules['pygls'] = None\nsys.modules['lsprotocol'] = None\n"
        "from nasdsl.cli import main\nsys.exit(main(['lsp']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "NAS905" in done.stderr and "nasdsl[lsp]" in done.stderr


def drawn(capsys: pytest.CaptureFixture[str], *arguments: str) -> ElementTree.Element:
    assert main(["show", *arguments, "--svg", "-"]) == 0
    return ElementTree.fromstring(capsys.readouterr().out)


def labels(svg: ElementTree.Element) -> list[str]:
    return [t.text or "" for t in svg.iter(f"{NESTED}text") if t.get("class") == "name"]


def test_show_draws_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    svg = drawn(capsys, str(SPACES / "mobilenetv3_ofa.nas"), "0")
    found = labels(svg)
    assert found[0] == "input" and sum(t.startswith("inverted_residual") for t in found) == 11
    assert float(svg.get("width", "9999")) < 700


def test_show_draws_a_part_and_folds(capsys: pytest.CaptureFixture[str]) -> None:
    darts = str(SPACES / "darts.nas")
    cell = labels(drawn(capsys, darts, "12345678901234567", "--part", "Normal"))
    assert cell.count("input") == 2 and cell.count("++") == 1
    assert cell.count("sep_conv_3x3") == 2 and cell.count("max_pool_3x3") == 2
    folded = labels(drawn(capsys, darts, "0", "--fold", "Normal", "--fold", "Reduction"))
    assert folded.count("Normal") + folded.count("Reduction") == 8


def test_show_writes_the_drawing_to_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.svg"
    arguments = ["show", str(SPACES / "digits_tiny.nas"), "0", "--svg", str(out)]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"svg": str(out)}
    ElementTree.fromstring(out.read_text(encoding="utf-8"))
    for option in ("--part", "--fold"):
        assert main([*arguments, option, "Nothing"]) == 1
        assert "NAS906" in capsys.readouterr().err


def test_part_without_a_drawing_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(SPACES / "digits_tiny.nas"), "0", "--part", "Op"]) == 2
    assert "--svg" in capsys.readouterr().err
