"""Whole runs with real training: the folder, the best network, and settings."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.study import best
from nasdsl.study.run import StudyResult, report, run
from nasdsl.study.run_settings import settings_of
from nasdsl.training.data import load, load_test
from tests.study.tiny_run import TEXT
from tests.study.worked import plain


def codes(caught: pytest.ExceptionInfo[DiagnosticError]) -> list[str]:
    return [d.code for d in caught.value.diagnostics]


# What a run leaves


def test_the_folder(whole: StudyResult) -> None:
    assert sorted(p.name for p in whole.folder.iterdir()) == [
        "best",
        "overrides.json",
        "report.html",
        "space.nas",
        "study.lock",
        "study.sqlite",
    ]
    assert (whole.folder / "space.nas").read_text() == TEXT
    assert json.loads((whole.folder / "overrides.json").read_text()) == {}
    assert whole.exit_code == 0
    assert [t.number for t in whole.trials] == list(range(len(whole.trials)))
    assert all(t.state == "complete" for t in whole.trials)
    text = whole.report.read_text()
    assert "small networks" in text
    assert "# a comment that must survive" in text
    assert text.count('class="nas-net"') >= len(whole.front)


def test_the_numbers_are_those_of_the_networks(whole: StudyResult) -> None:
    space = nasdsl.load(TEXT)
    for trial in whole.trials:
        assert trial.rank is not None
        module = nasdsl.compile(space[trial.rank])
        assert trial.objectives["params"] == sum(p.numel() for p in module.parameters())
        assert 0 <= trial.objectives["accuracy"] <= 100
        # 100 validation samples: the accuracy is a whole number of percents.
        assert trial.objectives["accuracy"] == pytest.approx(round(trial.objectives["accuracy"]))


def saved_model(folder: Path) -> torch.nn.Module:
    """The best network by its written Python and weights alone."""
    names: dict[str, Any] = {"__name__": "model"}
    exec((folder / "best" / "model.py").read_text(), names)
    module: torch.nn.Module = names["build"]()
    module.load_state_dict(load_file(folder / "best" / "weights.safetensors"))
    return module.eval()


def share_right(module: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return 100 * (module(x).argmax(1) == y).double().mean().item()


def test_the_best_network_is_what_was_measured(whole: StudyResult) -> None:
    assert whole.best is not None
    metrics = json.loads((whole.folder / "best" / "metrics.json").read_text())
    assert whole.figures == metrics
    assert metrics["trial"] == whole.best.number
    assert metrics["reproduced"] is True
    module = saved_model(whole.folder)
    settings, _ = settings_of(nasdsl.load(TEXT))
    assert settings is not None
    data, test = load(settings.data), load_test(settings.data)
    accuracy = share_right(module, data.inputs(data.validation.x), data.validation.y)
    assert accuracy == pytest.approx(whole.best.objectives["accuracy"])
    on_test = share_right(module, data.inputs(test.x), test.y)
    assert on_test == pytest.approx(metrics["test"]["accuracy"])
    assert metrics["samples"] == {
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(test),
    }
    written = json.loads((whole.folder / "best" / "architecture.json").read_text())
    assert written["rank"] == whole.best.rank
    assert nasdsl.load(TEXT).find(str(whole.folder / "best" / "architecture.json")).rank == (
        whole.best.rank
    )


def test_the_best_network_is_retrained_on_more_where_asked(
    whole: StudyResult, tmp_path: Path
) -> None:
    result = run(TEXT + "report { retrain }\n", out=tmp_path / "r", progress="quiet", trials=4)
    metrics = result.figures
    assert metrics["retrained"] is True
    assert metrics["trained_on"] == "200 training and validation samples"
    assert metrics["reproduced"] is None
    settings, _ = settings_of(nasdsl.load(TEXT))
    assert settings is not None
    data, test = load(settings.data), load_test(settings.data)
    on_test = share_right(saved_model(result.folder), data.inputs(test.x), test.y)
    assert on_test == pytest.approx(metrics["test"]["accuracy"])


def test_the_test_samples_are_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    from nasdsl.training import data

    real = data.load_test

    def counting(*args: Any) -> Any:
        opened.append(args)
        return real(*args)

    monkeypatch.setattr(data, "load_test", counting)
    result = run(TEXT, out=tmp_path / "r", progress="quiet", trials=4)
    assert len(opened) == 1
    before = {p: p.stat().st_mtime_ns for p in (result.folder / "best").iterdir()}
    again = run(resume=result.folder, progress="quiet")
    assert len(opened) == 1, "a resumed run that has its best does not look again"
    assert before == {p: p.stat().st_mtime_ns for p in (result.folder / "best").iterdir()}
    assert plain(list(again.trials)) == plain(list(result.trials))
    assert again.figures == result.figures
    (result.folder / "best" / best.METRICS).unlink()
    run(resume=result.folder, progress="quiet")
    assert len(opened) == 2, "half a result is made anew"


def test_the_report_can_be_made_anew(whole: StudyResult) -> None:
    before = whole.report.read_text()
    whole.report.unlink()
    assert report(whole.folder) == whole.report
    assert whole.report.read_text() == before


# Equal results


def test_two_workers_or_a_time_limit_change_nothing(whole: StudyResult, tmp_path: Path) -> None:
    two = run(TEXT, out=tmp_path / "two", progress="quiet", workers=2)
    assert plain(list(two.trials)) == plain(list(whole.trials))
    assert two.figures == whole.figures


def test_a_budget_that_grows(whole: StudyResult, tmp_path: Path) -> None:
    first = run(TEXT, out=tmp_path / "r", progress="quiet", trials=4)
    assert len(first.trials) == 4
    same = run(resume=first.folder, progress="quiet")
    assert len(same.trials) == 4, "the budget is remembered"
    more = run(resume=first.folder, progress="quiet", trials=1000)
    assert plain(list(more.trials)) == plain(list(whole.trials))
    assert more.best is not None and whole.best is not None
    assert more.best.number == whole.best.number
    assert more.figures == whole.figures


def test_settings_of_the_command_line_are_kept(tmp_path: Path) -> None:
    overrides = {"search.samples": "2", "train.epochs": "1"}
    result = run(TEXT, out=tmp_path / "r", overrides=overrides, progress="quiet")
    assert sum(t.role == "center" for t in result.trials) == 2
    assert json.loads((result.folder / "overrides.json").read_text()) == overrides
    again = run(resume=result.folder, progress="quiet")
    assert plain(list(again.trials)) == plain(list(result.trials))


def test_a_run_does_not_touch_the_global_generators(tmp_path: Path) -> None:
    before = random.getstate(), torch.random.get_rng_state()
    threads = torch.get_num_threads()
    run(TEXT, out=tmp_path / "r", progress="quiet", trials=2)
    assert random.getstate() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert torch.get_num_threads() == threads


# Mistakes


def test_folders_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places = [run(TEXT, progress="quiet", trials=1).folder for _ in range(2)]
    assert places == [Path("runs/tiny-1"), Path("runs/tiny-2")]
    assert sorted(p.name for p in Path("runs").iterdir()) == ["tiny-1", "tiny-2"]


def test_an_empty_folder_is_taken_and_a_full_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run(TEXT, out=tmp_path / "empty", progress="quiet", trials=1)
    with pytest.raises(DiagnosticError) as caught:
        run(TEXT, out=result.folder, progress="quiet")
    assert codes(caught) == ["NAS603"]
    assert "--resume" in str(caught.value)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DiagnosticError) as caught:
        run(TEXT, out=tmp_path / "file", progress="quiet")
    assert codes(caught) == ["NAS603"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "options", "code"),
    [
        (("image[1, 8, 8]", "image[1, 9, 9]"), {}, "NAS703"),
        (("logits[10]", "logits[11]"), {}, "NAS703"),
        (("data digits(train=100, validation=100)", 'data npz("none.npz")'), {}, "NAS701"),
        (("maximize accuracy", "maximize acuracy"), {}, "NAS711"),
        (("objective", "require params <= 1\nobjective"), {}, "NAS320"),
        (("", ""), {"device": "tpu"}, "NAS611"),
        (("", ""), {"workers": 0}, "NAS612"),
        (("", ""), {"overrides": {"train.epochs": "none"}}, "NAS407"),
    ],
)
def test_what_cannot_be_run_leaves_no_folder(
    tmp_path: Path, change: tuple[str, str], options: dict[str, Any], code: str
) -> None:
    text = TEXT.replace(*change)
    if "linear(10)" in text and "logits[11]" in text:
        text = text.replace("linear(10)", "linear(11)")
    with pytest.raises(DiagnosticError) as caught:
        run(text, out=tmp_path / "r", progress="quiet", **options)
    assert code in codes(caught)
    assert not (tmp_path / "r").exists()
    assert list(tmp_path.iterdir()) == []


def test_no_cuda_is_told(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DiagnosticError) as caught:
        run(TEXT, out=tmp_path / "r", device="cuda")
    assert codes(caught) == ["NAS611"]


def test_resume_needs_a_run_and_nothing_else(tmp_path: Path, whole: StudyResult) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "NAS610"),
        ({"path_or_text": TEXT, "resume": whole.folder}, "NAS610"),
        ({"resume": whole.folder, "out": tmp_path / "r"}, "NAS610"),
        ({"resume": whole.folder, "overrides": {"search.samples": "9"}}, "NAS610"),
        ({"resume": tmp_path / "nothing"}, "NAS604"),
    ]
    for options, code in wrong:
        with pytest.raises(DiagnosticError) as caught:
            run(**options)
        assert codes(caught) == [code]


def test_a_run_folder_without_its_text_is_told(tmp_path: Path) -> None:
    result = run(TEXT, out=tmp_path / "r", progress="quiet", trials=1)
    (result.folder / "space.nas").unlink()
    for go_on in (lambda: run(resume=result.folder), lambda: report(result.folder)):
        with pytest.raises(DiagnosticError) as caught:
            go_on()
        assert codes(caught) == ["NAS609"]


def test_data_beside_the_file_are_found_again_at_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    home = tmp_path / "home"
    home.mkdir()
    draw = np.random.default_rng(0)
    np.savez(
        home / "data.npz",
        x_train=draw.integers(0, 255, (120, 8, 8, 1), dtype=np.uint8),
        y_train=np.arange(120) % 10,
    )
    text = TEXT.replace(
        "data digits(train=100, validation=100)", 'data npz("data.npz", validation=30, test=30)'
    )
    (home / "tiny.nas").write_text(text)
    result = run(home / "tiny.nas", out=tmp_path / "r", progress="quiet", trials=2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = run(resume=result.folder, progress="quiet", trials=3)
    assert [t.state for t in again.trials] == ["complete"] * 3
