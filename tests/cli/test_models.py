"""``compile`` and ``score``."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call, wide

FIELDS = {"arch", "metric", "value", "spread", "unit", "seconds", "definition", "reason"}


def test_compile_writes_a_model_that_needs_only_torch(
    call: Call, small: Path, tmp_path: Path
) -> None:
    shown = call("show", small, "7", "--json").record
    model = tmp_path / "model.py"
    answer = call("compile", small, "7", "-o", model, "--json")
    assert answer.code == 0
    assert answer.record == {
        "file": str(model),
        **{name: shown[name] for name in ("fingerprint", "params", "macs")},
    }
    assert "nasdsl" not in [line.split()[1] for line in _imports(model.read_text())]
    code = (
        "import runpy, sys, torch\n"
        f"model = runpy.run_path({str(model)!r})['build']()\n"
        "print(sum(p.numel() for p in model.parameters()))\n"
        "print(tuple(model(torch.zeros(3, 1, 8, 8)).shape))\n"
        "assert not any(name.startswith('nasdsl') for name in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == [str(shown["params"]), "(3, 10)"]


def _imports(source: str) -> list[str]:
    return [line for line in source.splitlines() if line.startswith(("import ", "from "))]


def test_compile_to_standard_output(call: Call, small: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.py"
    assert call("compile", small, "7", "-o", model).out == ""
    answer = call("compile", small, "7")
    assert answer.out == model.read_text()
    assert call("compile", small, "7", "--json").record["source"] == answer.out


def test_compile_to_a_place_that_cannot_be_written(call: Call, small: Path, tmp_path: Path) -> None:
    answer = call("compile", small, "7", "-o", tmp_path / "none" / "model.py", "--json")
    assert (answer.code, answer.codes) == (1, ["NAS904"])


def test_score_measures_the_objectives_of_the_file(call: Call, small: Path) -> None:
    answer = call("score", small, "7", "--json")
    assert answer.code == 0
    records = answer.records
    assert all(set(record) == FIELDS for record in records)
    assert [record["metric"] for record in records] == ["accuracy", "params"]
    accuracy, params = records
    assert 0 <= accuracy["value"] <= 100
    assert accuracy["unit"] == "%"
    assert params["value"] == call("show", small, "7", "--json").record["params"]
    again = call("score", small, "7", "--json").records
    assert [r["value"] for r in again] == [r["value"] for r in records]


def test_score_of_metrics_that_are_named(call: Call, small: Path) -> None:
    answer = call(
        *("score", small, "7", "--json", "--metric", "flatness.weights(copies=3)"),
        *("--metric", "macs", "--metric", "loss"),
    )
    assert answer.code == 0
    flatness, macs, loss = answer.records
    assert flatness["metric"] == "flatness.weights"
    assert flatness["spread"] >= 0
    assert macs["value"] == call("show", small, "7", "--json").record["macs"]
    assert math.isfinite(loss["value"]) and loss["value"] > 0


def test_score_of_a_neighborhood_is_the_mean_over_the_ball(call: Call, small: Path) -> None:
    """The definition, from separate measurements."""
    answer = call(
        *("score", small, "0", "--json", "--metric", "accuracy"),
        *("--metric", "flatness.neighborhood"),
    )
    center, ball = answer.records
    neighbors = call("neighbors", small, "0", "--json").records
    values = [
        call("score", small, n["rank"], "--metric", "accuracy", "--json").record["value"]
        for n in neighbors
    ]
    assert ball["value"] == pytest.approx(math.fsum([center["value"], *values]) / (1 + len(values)))


def test_a_static_metric_trains_nothing(call: Call, small: Path) -> None:
    broken = small.with_name("broken.nas")
    broken.write_text(small.read_text().replace("digits\n", 'npz("none.npz")\n', 1))
    assert call("score", broken, "7", "--metric", "params").code == 0
    answer = call("score", broken, "7", "--metric", "accuracy", "--json")
    assert answer.code == 1
    assert answer.codes


def test_score_for_a_person(call: Call, small: Path) -> None:
    text = call("score", small, "7", "--metric", "params", "-v").out
    assert "params" in text
    assert "Learned parameters of the network as compiled" in " ".join(text.split())
    assert not wide(text)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("acuracy", "accuracy"),
        ("flatness.weights(copys=3)", "copies"),
        ("flatness.weights(", ""),
        ("accuracy, params", ""),
        ("", ""),
        ("accuracy } network", ""),
    ],
)
def test_a_metric_that_is_none(metric: str, said: str, call: Call, small: Path) -> None:
    answer = call("score", small, "7", "--metric", metric)
    assert answer.code == 1
    assert "error[NAS" in answer.err
    assert said in answer.err


def test_a_network_that_diverges_is_told(call: Call, small: Path) -> None:
    answer = call("score", small, "7", "--set", "train.sgd.lr=1e30", "--json")
    assert answer.code == 1
    assert answer.codes == ["NAS650"]
    accuracy, params = answer.records
    assert accuracy["value"] is None
    assert "diverged" in accuracy["reason"] or "not finite" in accuracy["reason"]
    assert params["value"] > 0, "what needs no training is told all the same"


LINEAR = """
input image[1, 8, 8]
output logits[10]
network = flatten >> linear(width) >> linear(10)
  where width in {4, 8}
data digits(train=100, validation=100)
train { epochs 1, batch 25 }
search random { samples 1 }
"""


def test_a_metric_that_fails_takes_no_other_with_it(call: Call, tmp_path: Path) -> None:
    """A network without activations has no kernel of its activations."""
    file = tmp_path / "linear.nas"
    file.write_text(LINEAR)
    asked = [a for name in ("proxy.nwot", "proxy.snip", "accuracy") for a in ("--metric", name)]
    answer = call("score", file, "0", "1", *asked, "--json")
    assert (answer.code, answer.codes) == (1, ["NAS650", "NAS650"])
    assert [(r["arch"], r["metric"]) for r in answer.records] == [
        (arch, name) for arch in "01" for name in ("proxy.nwot", "proxy.snip", "accuracy")
    ]
    for record in answer.records:
        assert (record["value"] is None) == (record["metric"] == "proxy.nwot")
        assert (record["reason"] is None) == (record["metric"] != "proxy.nwot")
    alone = call("score", file, "1", "--metric", "accuracy", "--json").record
    assert alone["value"] == answer.records[-1]["value"]
    told = call("score", file, "1", *asked)
    assert told.code == 1
    assert "proxy.nwot of 1 could not be measured: the network has no" in (
        " ".join(told.err.split())
    )
    assert "failed" in told.out
    assert not wide(told.out)


def test_networks_are_drawn_side_by_side(call: Call, small: Path, tmp_path: Path) -> None:
    page = tmp_path / "compared.html"
    report = "\nreport { corruptions(samples=20), fgsm(samples=20), noise(copies=2) }\n"
    file = small.with_name("reported.nas")
    file.write_text(small.read_text() + report)
    answer = call("score", file, "0", "7", "--report", page, "--neighbors", 2, "--json")
    assert answer.code == 0
    assert {r["arch"] for r in answer.records} == {"0", "7"}
    text = page.read_text()
    for words in ("against severity", "against epsilon", "against sigma", "Neighborhoods"):
        assert words in text
    accuracy = next(r for r in answer.records if r["arch"] == "7" and r["metric"] == "accuracy")
    assert f"<td>{accuracy['value']:.2f}</td>" in text
    again = tmp_path / "again.html"
    call("score", file, "0", "7", "--report", again, "--neighbors", 2)
    assert again.read_text() == text, "a page depends on the file and the seed alone"


def test_a_page_of_a_network_that_diverged_says_so(call: Call, small: Path, tmp_path: Path) -> None:
    page = tmp_path / "diverged.html"
    lost = ("--set", "train.sgd.lr=1e30", "--set", "train.epochs=30")
    answer = call("score", small, "7", *lost, "--report", page, "--json")
    assert answer.code == 1
    assert answer.records[0]["value"] is None
    assert "accuracy has no value" in page.read_text()


def test_neighbors_are_for_the_report(call: Call, small: Path) -> None:
    assert call("score", small, "7", "--neighbors", 2).code == 2
    assert call("score", small).code == 2
