"""From a network to its measurement: compile, train once, measure all that was asked for."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from nasdsl.diagnostics import DiagnosticError
from nasdsl.graph.network import Network
from nasdsl.objectives.candidate import Candidate
from nasdsl.objectives.measurement import Fact, Measurement, Value, gated
from nasdsl.objectives.metrics import MetricError, MetricRequest, labels, measured
from nasdsl.objectives.table import SOURCE, Table, open_table
from nasdsl.seeding import derive
from nasdsl.training.data.dataset import Dataset
from nasdsl.training.data.load import load
from nasdsl.training.history import Diverged, EpochRecord
from nasdsl.training.loop import train
from nasdsl.training.settings import DataSettings, TrainSettings


def evaluate(
    network: Network,
    data_settings: DataSettings,
    train_settings: TrainSettings,
    requests: Sequence[MetricRequest],
    seed: int,
    device: torch.device | str = "cpu",
    base_folder: str | Path | None = None,
    keep_weights: bool = False,
    facts: Mapping[str, Fact] | None = None,
    joined: bool = False,
    each: bool = False,
    initial: Callable[[Network, int], nn.Module] | None = None,
) -> Measurement:
    """Compiles a network, trains it once, and measures what is asked for.

    Nothing but an interrupt leaves this function: whatever goes wrong is the candidate's
    outcome. Static metrics are measured first. For a metric of the neighborhood the accuracy
    is measured, which :func:`nasdsl.objectives.neighborhood.aggregate` then needs of every
    member of the ball. Where only static metrics are asked for and no weights are to be kept,
    nothing is compiled, read or trained. Where the data are a table nothing is trained
    either: the accuracy is the table's, and there are no weights.

    Args:
        network: the live graph.
        data_settings: which data.
        train_settings: how to train.
        requests: what to measure; values come under :func:`nasdsl.objectives.metrics.labels`.
        seed: of this candidate: initial weights, order, augmentation and noise derive from it.
        device: where to train.
        base_folder: what relative paths of the data are relative to.
        keep_weights: give the trained weights too.
        facts: what the space knows beyond the graph, as ``{"declared_params": 1073466}``.
        joined: train on the training and validation samples together, for a final network;
            values on the validation samples then say nothing about new ones.
        each: a metric that fails takes no other with it, and spares no training: what fails is
            told by label in ``failures``, and the rest is measured. For a single network that
            is looked at; a search has no use for a candidate without one of its objectives.
        initial: (network, seed) -> the module to train, where it does not start at random.
    """

    def build(progress: _Progress) -> tuple[nn.Module, Dataset | None]:
        from nasdsl.compiler import compile_network

        with progress.timed("compile"):
            module = (initial or compile_network)(network, seed).to(device)
        if data_settings.source == SOURCE:
            return module, None
        with progress.timed("data"):
            data = load(data_settings, base_folder, device)
        return module, data.joined() if joined else data

    return _evaluate(
        build,
        network,
        train_settings,
        requests,
        seed,
        device,
        keep_weights,
        facts or {},
        data_settings.source == SOURCE,
        lambda: open_table(data_settings, base_folder),
        each,
    )


def measure(
    module: nn.Module,
    network: Network | None,
    data: Dataset,
    train_settings: TrainSettings,
    requests: Sequence[MetricRequest],
    seed: int,
    device: torch.device | str = "cpu",
    keep_weights: bool = False,
    facts: Mapping[str, Fact] | None = None,
) -> Measurement:
    """As :func:`evaluate`, for a module that is built already and data that are read already.

    The module is trained in place. ``network`` is needed for static metrics only.
    """
    return _evaluate(
        lambda _: (module, data),
        network,
        train_settings,
        requests,
        seed,
        device,
        keep_weights,
        facts or {},
    )


@dataclass
class _Progress:
    """What is there so far, so that a failure loses none of it."""

    values: dict[str, Value] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    history: tuple[EpochRecord, ...] = ()
    weights: bytes | None = None
    failures: dict[str, str] | None = None
    """Reasons by label where metrics are measured each by itself; ``None`` where one failure
    ends the measurement."""
    detail: str | None = None

    def failed(self, labels: Iterable[str], error: Exception) -> None:
        """Notes that some metrics have no value, or raises the error where that is the end."""
        if self.failures is None:
            raise error
        self.failures |= dict.fromkeys(labels, failure(error))
        self.detail = "".join(traceback.format_exception(error))

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Notes the seconds that a phase took, also where it fails."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.timings[phase] = time.perf_counter() - began


def _evaluate(
    build: Callable[[_Progress], tuple[nn.Module, Dataset | None]],
    network: Network | None,
    train_settings: TrainSettings,
    requests: Sequence[MetricRequest],
    seed: int,
    device: torch.device | str,
    keep_weights: bool,
    facts: Mapping[str, Fact],
    looked_up: bool = False,
    table: Callable[[], Table] | None = None,
    each: bool = False,
) -> Measurement:
    progress = _Progress(failures={} if each else None)
    requests = measured(requests)
    named = dict(zip(labels(requests), requests, strict=True))
    try:
        candidate = Candidate(network, seed=seed, facts=facts, wanted=tuple(requests))
        candidate.settings = train_settings
        if looked_up and table is not None:
            candidate.table = table()
        costs = {
            label: "table" if looked_up and request.metric == "accuracy" else request.cost
            for label, request in named.items()
        }

        def those(*wanted: str) -> dict[str, MetricRequest]:
            return {label: named[label] for label, cost in costs.items() if cost in wanted}

        _values(progress, candidate, those("static", "table"))
        trained = those("trained")
        if those("untrained") or trained or (keep_weights and not looked_up):
            module, candidate.data = build(progress)
            candidate.initial = module
            _values(progress, candidate, those("untrained"))
            candidate.initial = None
            candidate.shared.clear()
            if candidate.data is not None and (trained or keep_weights):
                with progress.timed("train"):
                    result = train(
                        module, candidate.data, train_settings, derive(seed, "train"), device
                    )
                candidate.module = module
                progress.history = result.history
                if keep_weights:
                    progress.weights = to_bytes(module)
            for label, request in trained.items():
                try:
                    _value(progress, candidate, label, request)
                except Exception as error:  # one value's failure is not the others'
                    progress.failed([label], error)
    except Exception as error:  # a candidate's failure is its outcome, not the study's
        if progress.failures is not None:
            # What could not be built or trained takes with it what was still to come.
            known = progress.values.keys() | progress.failures.keys()
            progress.failed([label for label in named if label not in known], error)
        progress.detail = traceback.format_exc()
        return _outcome(progress, failure(error))
    return _outcome(progress, "; ".join(dict.fromkeys((progress.failures or {}).values())))


def _outcome(progress: _Progress, reason: str) -> Measurement:
    """What there is, complete where there is no reason against it."""
    return Measurement(
        progress.values,
        "failed" if reason else "complete",
        reason or None,
        progress.timings,
        progress.history,
        progress.weights,
        progress.detail,
        progress.failures or {},
    )


def _values(
    progress: _Progress, candidate: Candidate, requests: Mapping[str, MetricRequest]
) -> None:
    """All cheap values; those that cannot be had are told together, in the place of a training."""
    reasons = []
    for label, request in requests.items():
        try:
            _value(progress, candidate, label, request)
        except MetricError as error:
            if progress.failures is None:
                reasons.append(str(error))
            else:
                progress.failed([label], error)
        except Exception as error:  # one value's failure is not the others'
            progress.failed([label], error)
    if reasons:
        raise MetricError("; ".join(reasons))


def _value(progress: _Progress, candidate: Candidate, label: str, request: MetricRequest) -> None:
    metric = request.facts
    with progress.timed(label):
        try:
            value, spread = metric.load()(candidate, request)
            checked = gated(value, spread, request.unit)
        except MetricError as error:
            raise MetricError(f"{label}: {error}") from error
    progress.values[label] = replace(checked, seconds=progress.timings[label])


def failure(error: Exception) -> str:
    """The reason of a failed trial, in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, Diverged):
        return text
    if _out_of_memory(error):
        return "out of memory"
    if isinstance(error, MetricError):
        return f"error: {text}"
    if isinstance(error, DiagnosticError):
        return "error: " + "; ".join(d.message for d in error.diagnostics)
    return f"error: {type(error).__name__}: {text}".rstrip(": ")


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The CPU's allocator raises a plain RuntimeError and says so in its text.
    texts = ("can't allocate memory", "out of memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


def to_bytes(module: nn.Module) -> bytes:
    """The state of a module as the bytes of a safetensors file, on the CPU."""
    from safetensors.torch import save

    # Cloned, because the format holds no two names of one storage.
    state = {k: v.detach().cpu().contiguous().clone() for k, v in module.state_dict().items()}
    return save(state)


def from_bytes(module: nn.Module, weights: bytes) -> None:
    """Puts the state that :func:`to_bytes` gave into a module of the same network."""
    from safetensors.torch import load as load_state

    module.load_state_dict(load_state(weights))
