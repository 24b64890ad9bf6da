"""What a run tells of its networks under corruptions, attacks and noise, after the search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.language.settings import Entry
from nasdsl.objectives.profile import Profile
from nasdsl.objectives.report_settings import read_report
from nasdsl.robustness.attacks import evaluate_attack
from nasdsl.robustness.corrupted import evaluate_corruptions
from nasdsl.study import robustness
from nasdsl.study.records import Trial
from nasdsl.study.run import StudyResult, report, run
from nasdsl.study.run_settings import settings_of
from nasdsl.training.data import load, load_test
from nasdsl.training.settings import DataSettings

TEXT = """
space tiny
input image[1, 8, 8]
output logits[10]
network = conv(width, 3, bias=false) >> bn >> relu >> global_avgpool >> linear(10)
  where width in {4, 8, 12}
data digits(train=100, validation=100)
train { epochs 2, batch 25, sgd(lr=0.2) }
objective { maximize accuracy, maximize params, minimize macs }
search random { samples 3, seed 3 }
report {
  corruptions(samples=30),
  fgsm(eps=0.1, samples=40),
  noise(sigma=0.5, copies=2),
  front(most=1)
}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return run(TEXT, out=tmp_path_factory.mktemp("runs") / "whole", progress="quiet")


def saved(folder: Path) -> dict[int, Profile]:
    return dict(robustness.profiles(robustness.read_profiles(folder)))


def test_the_best_is_measured_on_changed_test_images(whole: StudyResult) -> None:
    """By its written Python and weights alone, and the evaluations themselves."""
    names: dict[str, Any] = {"__name__": "model"}
    exec((whole.folder / "best" / "model.py").read_text(), names)
    module: torch.nn.Module = names["build"]()
    module.load_state_dict(load_file(whole.folder / "best" / "weights.safetensors"))
    module.eval()
    settings = DataSettings(train=100, validation=100)
    data, test = load(settings), load_test(settings)
    assert whole.best is not None
    found = saved(whole.folder)[whole.best.number]
    errors = evaluate_corruptions(module, data, split=test, samples=30)
    assert found.corrupted == errors.errors
    attack = evaluate_attack(module, data, "fgsm", [0.1], split=test, samples=40)
    assert found.attacked[0].robust[-1] == attack.robust[0.1]
    assert (found.split, found.samples) == ("test", len(test))
    assert found.clean == pytest.approx(whole.figures["test"]["accuracy"])
    assert found.noisy is not None and found.noisy.copies == 2


def test_as_many_of_the_front_are_measured_as_asked(whole: StudyResult) -> None:
    assert len(whole.front) > 1, "or there is nothing to see"
    assert whole.best is not None
    numbers = set(saved(whole.folder))
    assert len(numbers) == 2
    assert whole.best.number in numbers
    assert numbers <= {t.number for t in whole.front}


def test_the_report_draws_it_and_says_that_nothing_was_chosen_by_it(whole: StudyResult) -> None:
    text = whole.report.read_text()
    for words in ("against severity", "against epsilon", "against sigma", "nothing was chosen"):
        assert words in text
    assert "training and validation samples alone" in text
    assert whole.best is not None
    mce = saved(whole.folder)[whole.best.number].mce
    assert f"<td>{mce:.2f}</td>" in text


def test_a_report_is_written_anew_without_measuring(
    whole: StudyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robustness, "profile_of", lambda *_: pytest.fail("measured again"))
    before = whole.report.read_text()
    assert report(whole.folder).read_text() == before
    resumed = run(resume=whole.folder, progress="quiet")
    assert resumed.report.read_text() == before


def test_a_killed_run_keeps_what_was_measured(tmp_path: Path, whole: StudyResult) -> None:
    """Stopped before the second network, it goes on with that one alone."""
    measured: list[int] = []
    original = robustness.profile_of

    def once(*arguments: Any) -> Profile:
        measured.append(1)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robustness, "profile_of", once)
        with pytest.raises(KeyboardInterrupt):
            run(TEXT, out=tmp_path / "cut", progress="quiet")
        run(resume=tmp_path / "cut", progress="quiet")
    assert len(measured) == 3
    assert saved(tmp_path / "cut") == saved(whole.folder)


def test_a_search_that_used_changed_images_is_told() -> None:
    from nasdsl.study.report.write import _samples

    text = TEXT.replace("maximize accuracy", "maximize accuracy, minimize corruption.fog")
    settings, _ = settings_of(nasdsl.load(text))
    assert settings is not None
    assert _samples(settings, settings.plan).endswith("and changed ones for corruption.fog")


def codes(text: str) -> list[str]:
    with pytest.raises(DiagnosticError) as caught:
        run(text, out="never", progress="quiet")
    return [d.code for d in caught.value.diagnostics]


def test_data_that_cannot_answer_are_told_before_the_search(tmp_path: Path) -> None:
    import numpy as np

    file = tmp_path / "small.npz"
    x = np.zeros((60, 6, 6, 1), np.uint8)
    np.savez(file, x_train=x, y_train=np.arange(60) % 10)
    small = TEXT.replace("1, 8, 8", "1, 6, 6").replace(
        "digits(train=100, validation=100)", f'npz("{file}")'
    )
    assert codes(small) == ["NAS712"]
    assert not Path("never").exists()
    with pytest.raises(DiagnosticError) as caught:
        robustness.check_profile(
            read_report([Entry("noise")])[0].profile, [Entry("noise")], "table", None
        )
    assert caught.value.diagnostics[0].code == "NAS714"


def test_a_front_without_anything_to_measure_is_told() -> None:
    settings, problems = read_report([Entry("front")])
    assert [d.code for d in problems] == ["NAS712"]
    settings, problems = read_report([Entry("pgd", (), (("steps", 3),)), Entry("front")])
    assert problems == []
    assert settings.front == 5
    assert settings.profile.asked["pgd"]["steps"] == 3
    assert read_report([])[0].profile.asked == {}


def trial(number: int, accuracy: float) -> Trial:
    return Trial(number, f"f{number}", 0, objectives={"accuracy": accuracy}, state="complete")


def test_the_chosen_of_a_front_are_spread_over_it() -> None:
    front = [trial(i, 50 + i) for i in range(9)]
    best = front[4]
    assert [t.number for t in robustness.spread_over(front, best, 3)] == [4, 0, 5, 8]
    assert [t.number for t in robustness.spread_over(front, best, 1)] == [4, 0]
    assert len(robustness.spread_over(front, best, 99)) == 9
    assert robustness.spread_over(front, best, 0) == [best]
    assert robustness.spread_over([best], best, 5) == [best]


def test_the_file_is_strict_json(whole: StudyResult) -> None:
    record = json.loads((whole.folder / robustness.NAME).read_text())
    assert record["retrain"] is False
    assert record["settings"]["fgsm"] == {"eps": 0.1, "norm": "linf", "samples": 40}
