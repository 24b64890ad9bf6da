"""Who shares what is told as the language defines it."""

from __future__ import annotations

import json

import pytest

import nasdsl
from nasdsl.cli import main
from nasdsl.space.ties import ties

TEXT = """
space tied
input image[1, 8, 8]
output logits[10]
let w in {4, 8}
choice Op(c) = | conv = conv(c, 3) | same = identity
cell Cell(c) {
  input  n[0]
  node   n[1] = Op(c)(n[0])
  output n[1]
}
block Twice(c) = conv(c, k) * 2
  where k in {1, 3}
network = conv(w, 3) >> Cell(w) * 3 >> Twice(w) * 2 >> global_avgpool >> linear(10)
"""


def test_ties() -> None:
    found = {t.name: t for t in ties(nasdsl.load(TEXT))}
    assert found["w"].decided == "once"
    assert (found["Op"].decided, found["Op"].uses) == ("once for all uses of Cell", 3)
    assert found["Op"].decisions == ("Cell.n[1].Op",)
    assert found["k"].decided == "at each use"
    assert found["k"].decisions == ("Twice[0].k", "Twice[1].k")
    assert [t.line for t in ties(nasdsl.load(TEXT))] == [5, 6, 13]


def test_the_command_prints_them(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"{tmp_path}/tied.nas"
    with open(file, "w", encoding="utf-8") as out:
        out.write(TEXT)
    assert main(["info", file, "--ties", "--classes", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [t["name"] for t in record["ties"]] == ["w", "Op", "k"]
    # Twice 2 widths, the cell with or without its convolution, two free kernels.
    assert record["architectures"] == record["classes"] == 16
    assert main(["info", file, "--ties"]) == 0
    assert "once for all uses of Cell" in capsys.readouterr().out
