"""Whole runs with real training: the folder, the best network, and going on after any end."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.study import best, store
from nasdsl.study.run import StudyResult, report, run, settings_of
from nasdsl.training.data import load, load_test
from tests.study.worked import plain, table

ROOT = Path(__file__).parents[2]
TEXT = """# a comment that must survive
space tiny "small networks"
input image[1, 8, 8]
output logits[10]
choice Op(c) =
  | skip = identity
  | pool = avgpool(3, stride=1)
  | conv = conv(c, 3, bias=false) >> bn >> relu
network = conv(width, 3, bias=false) >> bn >> relu >> Op(width) * 2
    >> maxpool(2) >> Op(width) >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
neighborhood {
  edit swap: any Op
  edit resize: step width
}
data digits(train=100, validation=100)
train { epochs 2, batch 25, sgd(lr=0.2) }
objective { maximize accuracy, maximize flatness.neighborhood(samples=2), minimize params }
search na_random { samples 4, seed 3 }
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """One uninterrupted run that the others are compared with."""
    return run(TEXT, out=tmp_path_factory.mktemp("runs") / "whole", progress="quiet")


def nasdsl_run(*args: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nasdsl", "run", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )


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


# Ends


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_and_resumed_is_the_same_run(whole: StudyResult, tmp_path: Path) -> None:
    folder, draw = tmp_path / "cut", random.Random(1)
    file = tmp_path / "tiny.nas"
    file.write_text(TEXT)
    kills = 0
    while True:
        begin = ("--resume", folder) if folder.exists() else (file, "-o", folder)
        process = nasdsl_run(*begin, "--workers", 1 + kills % 2, cwd=tmp_path)
        if kills < 2:
            _wait_until_writing(process, folder)
            time.sleep(draw.uniform(0, 0.6))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGKILL), errors
        if process.returncode == 0:
            break
    assert table(folder) == plain(list(whole.trials))
    assert json.loads((folder / "best" / "metrics.json").read_text()) == whole.figures
    assert kills >= 1
    # In the report only the times differ.
    assert (folder / "report.html").exists()


def _wait_until_writing(process: subprocess.Popen[str], folder: Path) -> None:
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 60:
        try:
            if f"process {process.pid} " in (folder / "study.lock").read_text():
                return
        except OSError:
            pass
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(
    whole: StudyResult, tmp_path: Path, workers: int
) -> None:
    folder = tmp_path / "cut"
    file = tmp_path / "tiny.nas"
    file.write_text(TEXT)
    process = nasdsl_run(
        file, "-o", folder, "--workers", workers, cwd=tmp_path, start_new_session=True
    )
    _wait_for_trials(process, folder, 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process gets it
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"nasdsl run --resume {folder}" in errors
    assert "Traceback" not in errors
    states = [row["state"] for row in table(folder)]
    assert "running" not in states
    assert "queued" in states or len(states) < len(whole.trials)
    resumed = run(resume=folder, progress="quiet")
    assert plain(list(resumed.trials)) == plain(list(whole.trials))


def _wait_for_trials(process: subprocess.Popen[str], folder: Path, n: int) -> None:
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 60:
        if (folder / store.NAME).exists():
            with store.view(folder) as facts:
                if sum(t.measured.state == "complete" for t in facts.trials()) >= n:
                    return
        time.sleep(0.01)


def test_a_second_run_in_the_folder_is_refused(whole: StudyResult) -> None:
    with store.resume(whole.folder):
        process = nasdsl_run("--resume", whole.folder)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "NAS602" in errors


def test_a_run_in_which_everything_diverges_ends_with_3(tmp_path: Path) -> None:
    file = tmp_path / "tiny.nas"
    file.write_text(TEXT.replace("sgd(lr=0.2)", "sgd(lr=1e30)"))
    process = nasdsl_run(file, "-o", tmp_path / "r", "--trials", 3, "--json")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 3, errors
    summary = json.loads(output)
    assert summary["trials"] == {"complete": 0, "failed": 3}
    assert (summary["front"], summary["best"]) == ([], None)
    rows = table(tmp_path / "r")
    assert all(row["reason"].startswith("diverged at step") for row in rows)
    assert all(set(row["objectives"]) == {"params"} for row in rows)
    assert "No trial has succeeded" in (tmp_path / "r" / "report.html").read_text()


def test_a_network_that_does_not_fit_into_memory_is_an_outcome(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    text = """space greedy
input image[1, 8, 8]
output logits[10]
network = global_avgpool >> linear(hidden) >> relu >> linear(10)
  where hidden in {8, 16, 2G}
data digits(train=100, validation=100)
train { epochs 1 }
objective { maximize accuracy }
search random { samples 3 }
"""
    file = tmp_path / "greedy.nas"
    file.write_text(text)
    limit = 6 * 2**30
    process = nasdsl_run(
        file,
        "-o",
        tmp_path / "r",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    found = {
        row["decisions"]["hidden"]: (row["state"], row["reason"]) for row in table(tmp_path / "r")
    }
    assert found == {
        8: ("complete", None),
        16: ("complete", None),
        2_000_000_000: ("failed", "out of memory"),
    }


CRASH = """
import os, signal, sys
from nasdsl.study import evaluator
from nasdsl.study.run import run

real = evaluator.Evaluator.__call__

def crashing(self, network, seed, facts=None, keep_weights=False, joined=False):
    if network.params == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, network, seed, facts, keep_weights, joined)

evaluator.Evaluator.__call__ = crashing

if __name__ == "__main__":
    options = {"resume": sys.argv[1]} if os.path.exists(sys.argv[1]) else {"out": sys.argv[1]}
    text = None if "resume" in options else open(sys.argv[3]).read()
    run(text, progress="quiet", **options)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_network_that_takes_the_process_down_is_given_one_of_its_own(
    whole: StudyResult, tmp_path: Path
) -> None:
    """It ends the run twice; the third time it ends itself alone, and the run goes on."""
    sizes = [t.objectives["params"] for t in whole.trials]
    fatal = next(t for t in whole.trials if sizes.count(t.objectives["params"]) == 1)
    (tmp_path / "crash.py").write_text(CRASH)
    (tmp_path / "tiny.nas").write_text(TEXT)
    command = [sys.executable, "crash.py", "r", str(fatal.objectives["params"]), "tiny.nas"]
    found = []
    for _ in range(3):
        done = subprocess.run(command, cwd=tmp_path, timeout=120, capture_output=True, text=True)
        found.append(done.returncode)
    assert found == [-signal.SIGKILL, -signal.SIGKILL, 0], done.stderr
    rows = table(tmp_path / "r")
    assert [row["fingerprint"] for row in rows] == [t.fingerprint for t in whole.trials]
    for row, expected in zip(rows, whole.trials, strict=True):
        if row["number"] == fatal.number:
            assert (row["state"], row["objectives"]) == ("failed", {})
            assert row["reason"].startswith("crashed: the process was ended by SIGKILL")
        else:
            assert row["objectives"]["accuracy"] == expected.objectives["accuracy"]


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
    for options, code in (
        ({}, "NAS610"),
        ({"path_or_text": TEXT, "resume": whole.folder}, "NAS610"),
        ({"resume": whole.folder, "out": tmp_path / "r"}, "NAS610"),
        ({"resume": whole.folder, "overrides": {"search.samples": "9"}}, "NAS610"),
        ({"resume": tmp_path / "nothing"}, "NAS604"),
    ):
        with pytest.raises(DiagnosticError) as caught:
            run(**options)  # type: ignore[arg-type]
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
