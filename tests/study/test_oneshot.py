"""Runs that train a supernet first: what they leave, and going on after an end in its middle."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.objectives.evaluate import from_bytes
from nasdsl.search.learned import largest
from nasdsl.study import files, oneshot
from nasdsl.study.run import Interrupted, StudyResult, run
from nasdsl.training.oneshot.elastic import elastic_supernet

DARTS = """
space mixed
input image[1, 8, 8]
output logits[10]
choice Op =
  | skip = identity
  | pool = avgpool(3, stride=1)
  | conv = conv(4, 3, bias=false) >> bn >> relu
network = conv(4, 3, stride=2) >> Op * 3 >> global_avgpool >> linear(10)
neighborhood { edit swap: any Op }
data digits(train=40, validation=40)
train { epochs 1, batch 20 }
search na_darts { samples 3, epochs 3, batch 10, decision_lr 0.1, neighbors 2, seed 4 }
"""
ELASTIC = """
space elastic
input image[1, 8, 8]
output logits[10]
network = conv(4, 3, stride=2) >> inverted_residual(4, kernel=k, expand=e) * depth
    >> global_avgpool >> linear(10)
  where k in {3, 5}
        e in {2, 3}
        depth in {1, 2}
neighborhood { edit size: step e }
data digits(train=40, validation=40)
train { steps 1, batch 20, sgd(lr=0.000001) }
objective { maximize accuracy, minimize flatness.weights(copies=2), minimize params }
search flatnas {
  samples 4, epochs 2, images 10, paths 1, initial 2, batch 2, generations 2, population 4
}
"""


def facts(result: StudyResult) -> list[Any]:
    """The trial table without its times."""
    return [{**t.to_json(), "timing": None} for t in result.trials]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return run(DARTS, out=tmp_path_factory.mktemp("mixed") / "run", progress="quiet")


@pytest.fixture(scope="module")
def elastic(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return run(ELASTIC, out=tmp_path_factory.mktemp("elastic") / "run", progress="quiet")


def cut(monkeypatch: pytest.MonkeyPatch, text: str, place: Path, after: int) -> None:
    """A run that is interrupted once it has kept the state of some epochs."""
    whole, kept = files.write, []

    def write(path: Path, content: str | bytes) -> None:
        whole(path, content)
        if path.name == oneshot.STATE:
            kept.append(path)
            if len(kept) == after:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", write)
        with pytest.raises(Interrupted):
            run(text, out=place, progress="quiet")
    assert (place / oneshot.STATE).exists()
    assert not (place / oneshot.RESULT).exists()


def test_the_first_proposal_is_what_the_supernet_learned(mixed: StudyResult) -> None:
    found: Mapping[str, Any] = json.loads((mixed.folder / oneshot.RESULT).read_text())
    space = nasdsl.load(DARTS)
    assert set(found["weights"]) == {"Op[0]", "Op[1]", "Op[2]"}
    assert mixed.trials[0].rank == largest(space, found["weights"]).rank
    assert str(mixed.trials[0].rank) == found["epochs"][-1]["rank"]
    assert len(mixed.trials) == len({t.rank for t in mixed.trials}) == 3
    assert all(t.state == "complete" for t in mixed.trials)
    assert found["skippable"] == 3
    # 20 samples a side in batches of 10; two neighbors.
    assert found["passes"] == 3 * 2 * (2 + 2)
    assert "collapsed to skips" in mixed.report.read_text()
    assert not (mixed.folder / oneshot.STATE).exists()


@pytest.mark.parametrize("after", [1, 3])
def test_a_run_cut_in_its_supernet_goes_on_to_the_same(
    mixed: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    cut(monkeypatch, DARTS, tmp_path / "run", after)
    resumed = run(resume=tmp_path / "run", progress="quiet")
    assert facts(resumed) == facts(mixed)
    one, two = (json.loads((r.folder / oneshot.RESULT).read_text()) for r in (resumed, mixed))
    assert one | {"seconds": 0} == two | {"seconds": 0}


def test_a_finished_supernet_is_not_trained_again(
    mixed: StudyResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = DARTS.replace("samples 3", "samples 1")
    first = run(short, out=tmp_path / "run", progress="plain")
    assert "training the supernet" in capsys.readouterr().err
    again = run(resume=tmp_path / "run", progress="plain")
    assert "training the supernet" not in capsys.readouterr().err
    assert facts(again) == facts(first) == facts(mixed)[:1]


def test_trials_start_from_the_weights_that_are_lent(elastic: StudyResult) -> None:
    """With a learning rate of next to nothing the best network still has them."""
    assert [t.state for t in elastic.trials] == ["complete"] * 4
    assert elastic.figures["reproduced"]
    space = nasdsl.load(ELASTIC)
    supernet = elastic_supernet(space)
    from_bytes(supernet, (elastic.folder / oneshot.WEIGHTS).read_bytes())
    assert elastic.best is not None and elastic.best.rank is not None
    network = space[elastic.best.rank].network
    lent = oneshot.Inherited(str(elastic.folder)).module(network, 0)
    written = load_file(elastic.folder / "best" / "weights.safetensors")
    for name, value in lent.state_dict().items():
        if "running" not in name and "tracked" not in name:
            torch.testing.assert_close(written[name], value, rtol=1e-3, atol=1e-4)
    states = supernet.state_of(network)
    own = [v for state in states.values() for v in state.values()]
    assert any(torch.equal(v, w) for v in own for w in lent.state_dict().values() if v.dim() == 4)


def test_an_elastic_run_cut_in_its_supernet_goes_on_to_the_same(
    elastic: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(monkeypatch, ELASTIC, tmp_path / "run", 1)
    resumed = run(resume=tmp_path / "run", progress="quiet")
    assert facts(resumed) == facts(elastic)
    one, two = (load_file(r.folder / oneshot.WEIGHTS) for r in (resumed, elastic))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_weights_that_are_gone_fail_the_trials_and_say_why(tmp_path: Path) -> None:
    lent = oneshot.Inherited(str(tmp_path))
    with pytest.raises(DiagnosticError, match=r"supernet\.safetensors' cannot be read"):
        lent.module(nasdsl.load(ELASTIC)[0].network, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            DARTS.replace("  | skip = identity\n  | pool = avgpool(3, stride=1)\n", ""),
            "has no decision that 'na_darts' could mix",
        ),
        (
            ELASTIC.replace("expand=e)", "expand=e, se=s)")
            .replace("depth in", "s in {true, false}\n        depth in"),
            "cannot be elastic",
        ),
        (DARTS.replace("conv(4, 3, bias=false)", "conv(8, 3, bias=false)"), "cannot be mixed"),
    ],
)  # fmt: skip
def test_a_space_without_a_supernet_is_told_before_there_is_a_folder(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DiagnosticError, match=said):
        run(text, out=tmp_path / "run", progress="quiet")
    assert not (tmp_path / "run").exists()


GUIDE = (Path(__file__).parents[2] / "docs" / "supernets.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"^```nas\n(.*?)^```", GUIDE, re.M | re.S))
def test_the_guide_shows_files_that_run(text: str, tmp_path: Path) -> None:
    short = {"search.epochs": "1", "search.samples": "2"}
    if "flatnas" in text:
        short["search.initial"] = "2"
    else:
        short["train.epochs"] = "1"
    found = run(text, out=tmp_path / "run", overrides=short, progress="quiet")
    assert [t.state for t in found.trials] == ["complete"] * 2
    assert oneshot.read(found.folder) is not None


def test_missing_objectives_are_told_without_torch() -> None:
    with pytest.raises(DiagnosticError) as caught:
        nasdsl.load(ELASTIC.replace("minimize flatness.weights(copies=2), ", ""))
    assert [d.code for d in caught.value.diagnostics] == ["NAS412"]
    assert caught.value.diagnostics[0].span is not None
