"""Profiles of the networks that a search has ended with, and of networks that are compared.

They are evaluation after the search: nothing is chosen by them. In a run folder they stand in
``robustness.json``, and are measured once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import Note, problem
from nasdsl.objectives.profile import Profile, ProfileSettings, Split
from nasdsl.objectives.report_settings import ReportSettings
from nasdsl.objectives.table import SOURCE
from nasdsl.study import files
from nasdsl.study.best import FOLDER as BEST
from nasdsl.study.records import Subject, Trial

if TYPE_CHECKING:
    from nasdsl.graph.network import Network
    from nasdsl.language.settings import Entry
    from nasdsl.study.evaluator import Evaluator
    from nasdsl.study.subjects import Subjects
    from nasdsl.training.data.dataset import Dataset

NAME = "robustness.json"


def check_profile(
    settings: ProfileSettings, entries: Sequence[Entry], source: str, data: Dataset | None
) -> None:
    """Raises a diagnostic where the data do not have what a profile is asked for.

    Args:
        settings: what is asked for.
        entries: of the block that asks, for the place.
        source: of the data, as the text names it.
        data: ``None`` where they are a table.

    Raises:
        DiagnosticError: NAS714 published values stand for the networks; NAS712 samples without
            classes, or images that cannot be corrupted or attacked.
    """
    spans = {entry.name: entry.span for entry in entries}
    for name in settings.asked:
        if source == SOURCE or data is None:
            raise problem(
                "NAS714",
                f"'{name}' in 'report' needs a trained network and samples, but the data are a table",
                spans.get(name),
                Note("without it, the report has the table's values alone"),
            )
        reason = _unfit(name, data)
        if reason:
            raise problem("NAS712", f"'{name}' in 'report': {reason}", spans.get(name))


def fitting(settings: ProfileSettings, data: Dataset) -> ProfileSettings:
    """What of a profile the data have what it takes for."""
    return ProfileSettings(
        {name: values for name, values in settings.asked.items() if not _unfit(name, data)}
    )


def _unfit(name: str, data: Dataset) -> str:
    if data.kind == "values":
        return f"'{data.name}' has float targets, and no accuracy"
    if name == "noise":
        return ""
    if data.kind != "classes" or len(data.input.shape) != 3:
        return f"'{data.name}' holds no images with classes"
    if name == "corruptions":
        from nasdsl.robustness.corruptions import unfit

        return unfit(data.input.shape)
    return ""


def profile_of(
    network: Network,
    weights: bytes,
    seed: int,
    evaluator: Evaluator,
    settings: ProfileSettings,
    where: Split,
) -> Profile:
    """The profile of a network whose trained weights are there.

    Args:
        network: its graph.
        weights: as :class:`nasdsl.study.evaluator.Evaluator` gives them.
        seed: that it was trained with, from which the noise on its weights derives.
        evaluator: says on which data and device.
        settings: what to look at.
        where: the samples to look at.
    """
    import torch

    from nasdsl.compiler import compile_network
    from nasdsl.objectives.evaluate import from_bytes
    from nasdsl.objectives.profiling import profile
    from nasdsl.training.data import load, load_test
    from nasdsl.training.threads import one_thread

    with one_thread(), torch.no_grad():
        module = compile_network(network)
        from_bytes(module, weights)
        module.to(evaluator.device).eval()
        data = load(evaluator.data, evaluator.base_folder, evaluator.device)
        split = data.validation
        if where == "test":
            split = load_test(evaluator.data, evaluator.base_folder, evaluator.device)
        return profile(module, data, split, where, settings, seed)


def spread_over(front: Sequence[Trial], best: Trial, most: int) -> list[Trial]:
    """The best trial and at most ``most`` others of the front, evenly in the order of the best's
    first objective."""
    by = next(iter(best.objectives))
    others = [t for t in front if t.number != best.number]
    others.sort(key=lambda t: (t.objectives.get(by, 0.0), t.number))
    if len(others) > most:
        places = [round(i * (len(others) - 1) / max(1, most - 1)) for i in range(most)]
        others = [others[place] for place in places]
    return [best, *others]


def write_profiles(
    folder: Path,
    trials: Sequence[Trial],
    subjects: Subjects,
    evaluator: Evaluator,
    report: ReportSettings,
    say: Callable[[str], None] = lambda text: None,
) -> list[tuple[int, Profile]]:
    """Writes ``robustness.json`` into a run folder; profiles that are in it are kept.

    The first trial is the best, whose weights are in the folder; the others are trained once
    more, as the best was. Measured on the test samples.

    Args:
        folder: of the run, with its ``best/``.
        trials: the networks to look at, the best first.
        subjects: between trials and networks.
        evaluator: of the run.
        report: what to look at, and whether networks are trained on all samples.
        say: told before a network is measured.
    """
    asked = {"settings": report.profile.to_json(), "retrain": report.retrain}
    there = read_profiles(folder, asked)
    found: dict[str, Mapping[str, Any]] = {}
    bare = replace(evaluator, requests=())
    for place, trial in enumerate(trials):
        key = f"{trial.number} {trial.fingerprint}"
        if key not in there:
            say(f"measuring the robustness of trial {trial.number}")
            subject = Subject(trial.fingerprint, trial.rank, trial.decisions, trial.key)
            network, facts = subjects.network(subject)
            weights = None
            if place == 0:
                weights = (folder / BEST / "weights.safetensors").read_bytes()
            else:
                again = bare(network, trial.seed, facts, keep_weights=True, joined=report.retrain)
                weights = again.weights
            if weights is None:
                there[key] = {"reason": again.reason}
            else:
                profile = profile_of(
                    network, weights, trial.seed, evaluator, report.profile, "test"
                )
                there[key] = {"profile": profile.to_json()}
        found[key] = there[key]
        # Written after each: they take long, and a run may be stopped at any time.
        files.write(folder / NAME, json.dumps({**asked, "networks": {**there, **found}}) + "\n")
    files.write(folder / NAME, json.dumps({**asked, "networks": found}, indent=2) + "\n")
    return profiles(found)


def read_profiles(folder: Path, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The records in ``robustness.json`` of a run folder by number and fingerprint of a trial.

    Empty where there are none, or where others were ``asked`` for.
    """
    try:
        record = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if asked is not None and any(record.get(name) != value for name, value in asked.items()):
        return {}
    networks: dict[str, Any] = record.get("networks", {})
    return networks


def profiles(records: Mapping[str, Mapping[str, Any]]) -> list[tuple[int, Profile]]:
    """Number of the trial and profile, for the records that have one."""
    return [
        (int(key.split()[0]), Profile.from_json(record["profile"]))
        for key, record in records.items()
        if "profile" in record
    ]
