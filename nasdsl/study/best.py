"""The best network of a run: trained once more, measured once on the test samples, written out.

The search keeps no weights. On a CPU the same seed gives the same weights again, bit by bit, so
the network that is written is the one that was measured, unless it is retrained on more samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasdsl.diagnostics import problem
from nasdsl.objectives.metrics import MetricError
from nasdsl.objectives.table import SOURCE, open_table
from nasdsl.study import files
from nasdsl.study.records import Subject, Trial
from nasdsl.version import __version__

if TYPE_CHECKING:
    from nasdsl.graph.network import Network
    from nasdsl.study.evaluator import Evaluator
    from nasdsl.study.subjects import Subjects

FOLDER = "best"
METRICS = "metrics.json"


def write_best(
    folder: Path, trial: Trial, subjects: Subjects, evaluator: Evaluator, retrain: bool
) -> dict[str, Any]:
    """Writes ``best/`` into a run folder, unless it is there for this very trial.

    It holds ``architecture.json``, ``model.py``, ``weights.safetensors`` and ``metrics.json``;
    what the last one says is returned.

    Raises:
        DiagnosticError: NAS640, the network could not be trained again.
    """
    path = folder / FOLDER
    files.mend(path)
    identity = {
        "trial": trial.number,
        "fingerprint": trial.fingerprint,
        "retrained": retrain,
    }
    there = read_best(folder)
    if there is not None and identity.items() <= there.items():
        return there
    subject = Subject(trial.fingerprint, trial.rank, trial.decisions, trial.key)
    network, facts = subjects.network(subject)
    if evaluator.data.source == SOURCE:
        return _write_published(path, identity, trial, subject, subjects, evaluator)
    measurement = evaluator(network, trial.seed, facts, keep_weights=True, joined=retrain)
    if measurement.state == "failed" or measurement.weights is None:
        raise problem(
            "NAS640",
            f"the best network (trial {trial.number}) could not be trained once more: "
            f"{measurement.reason}",
        )
    test, samples = _on_test(network, measurement.weights, evaluator)
    trained_on = "train" if not retrain else "train and validation"
    metrics = {
        **identity,
        "rank": trial.rank,
        "seed": trial.seed,
        "validation": dict(trial.objectives),
        "test": test,
        "samples": samples,
        "trained_on": f"{samples['train']} training samples"
        if not retrain
        else f"{samples['train'] + samples['validation']} training and validation samples",
        "split": trained_on,
        "reproduced": None
        if retrain
        else all(
            trial.objectives.get(name) == value.value for name, value in measurement.values.items()
        ),
        "device": evaluator.device,
        "nasdsl": __version__,
        "torch": _torch_version(),
    }
    from nasdsl.compiler.source import to_source

    architecture = subjects.architecture(subject)
    files.write_folder(
        path,
        {
            "architecture.json": _json(architecture.to_json()),
            "model.py": to_source(network),
            "weights.safetensors": measurement.weights,
            METRICS: _json(metrics),
        },
    )
    return metrics


def _write_published(
    path: Path,
    identity: Mapping[str, Any],
    trial: Trial,
    subject: Subject,
    subjects: Subjects,
    evaluator: Evaluator,
) -> dict[str, Any]:
    """As :func:`write_best` where a table stands for training: there are no weights, and the
    test accuracy is the table's column for it, where one is named and has a value."""
    from nasdsl.compiler.source import to_source

    settings = evaluator.data
    test: dict[str, float] = {}
    note = f"Published values of {settings.path}: {settings.search} in the search"
    if settings.report is not None:
        try:
            table = open_table(settings, evaluator.base_folder)
            test["accuracy"] = table.value(trial.key or "", settings.report)
            note += f", {settings.report} as test."
        except MetricError as error:
            note += f"; no value of {settings.report}: {error}."
    metrics = {
        **identity,
        "rank": trial.rank,
        "seed": trial.seed,
        "validation": dict(trial.objectives),
        "test": test,
        "note": note,
        "nasdsl": __version__,
    }
    architecture = subjects.architecture(subject)
    network, _ = subjects.network(subject)
    written = {
        "architecture.json": _json(architecture.to_json()),
        "model.py": to_source(network),
        METRICS: _json(metrics),
    }
    files.write_folder(path, written)
    return metrics


def read_best(folder: Path) -> dict[str, Any] | None:
    """What ``best/metrics.json`` of a run folder says, if it is there."""
    try:
        found: dict[str, Any] = json.loads((folder / FOLDER / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _on_test(
    network: Network, weights: bytes, evaluator: Evaluator
) -> tuple[dict[str, float], dict[str, int]]:
    """Loss and, where targets are classes, accuracy in percent, and the sizes of the splits."""
    import torch

    from nasdsl.compiler import compile_network
    from nasdsl.objectives.evaluate import from_bytes
    from nasdsl.training import task
    from nasdsl.training.data import load, load_test
    from nasdsl.training.loop import predict
    from nasdsl.training.threads import one_thread

    with one_thread(), torch.no_grad():
        module = compile_network(network)
        from_bytes(module, weights)
        module.to(evaluator.device)
        data = load(evaluator.data, evaluator.base_folder, evaluator.device)
        held = load_test(evaluator.data, evaluator.base_folder, evaluator.device)
        output = predict(module, data, held.x)
        found = {}
        if data.kind != "values":
            found["accuracy"] = task.accuracy(output, held.y)
        found["loss"] = float(task.loss(output, held.y))
    sizes = {"train": len(data.train), "validation": len(data.validation), "test": len(held)}
    return found, sizes


def _torch_version() -> str:
    import torch

    return str(torch.__version__)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
