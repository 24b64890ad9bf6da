"""The profile of a trained network: under corruptions, under attack, and with noisy weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from nasdsl.objectives.measurement import averaged
from nasdsl.objectives.metrics import MetricError
from nasdsl.objectives.profile import (
    ATTACKS,
    FRACTIONS,
    Attacked,
    Noisy,
    Profile,
    ProfileSettings,
)
from nasdsl.objectives.profile import Split as Where
from nasdsl.objectives.weight_noise import noisy_outputs
from nasdsl.robustness.attacks import evaluate_attack
from nasdsl.robustness.corrupted import evaluate_corruptions
from nasdsl.training import task
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.loop import PREDICTION_BATCH, predict


def profile(
    module: nn.Module,
    data: Dataset,
    split: Split,
    where: Where,
    settings: ProfileSettings,
    seed: int = 0,
    batch: int = PREDICTION_BATCH,
) -> Profile:
    """What the settings ask for, of one network.

    Corruptions and random starts come from one seed for all networks, so that they see the
    same images; weight noise comes from the network's own, as ``flatness.weights`` does.
    What cannot be had (images that are too small, an output that is not finite) is a reason
    in the profile, and takes nothing else with it.

    Args:
        module: trained, on the device of the data.
        data: says how samples are scaled and normalized.
        split: the samples to look at, on the same device.
        where: what they are.
        settings: what to look at.
        seed: of the network, for the noise on its weights.
        batch: samples of one pass; results do not depend on it beyond rounding.

    Raises:
        MetricError: samples without classes.
    """
    if data.kind == "values":
        raise MetricError(f"the targets of '{data.name}' are values, which have no accuracy")
    clean = task.accuracy(predict(module, data, split.x, batch), split.y)
    failures: dict[str, str] = {}
    found: dict[str, Any] = {}
    attacked: list[Attacked] = []
    for name, values in settings.asked.items():
        try:
            if name in ATTACKS:
                attacked.append(_attacked(module, data, split, name, values, batch))
            elif name == "corruptions":
                found |= _corrupted(module, data, split, values, batch)
            else:
                found["noisy"] = _noisy(module, data, split, values, clean, seed, batch)
        except ValueError as problem:
            failures[name] = str(problem)
    return Profile(where, len(split), clean, attacked=tuple(attacked), failures=failures, **found)


def _corrupted(
    module: nn.Module, data: Dataset, split: Split, values: Mapping[str, Any], batch: int
) -> dict[str, Any]:
    report = evaluate_corruptions(
        module, data, split=split, batch=batch, samples=values["samples"] or None
    )
    return {
        "corrupted": dict(report.errors),
        "corrupted_samples": report.samples,
        "corrupted_clean": report.clean,
    }


def _attacked(
    module: nn.Module, data: Dataset, split: Split, name: str, values: Mapping[str, Any], batch: int
) -> Attacked:
    radii = tuple(values["eps"] * fraction for fraction in FRACTIONS)
    count = min(values["samples"] or len(split), len(split))
    effort = {option: values[option] for option in ("steps", "queries") if option in values}
    report = evaluate_attack(
        module,
        data,
        name,
        radii,
        values["norm"],
        split,
        batch=batch,
        samples=count,
        **effort,
    )
    robust = tuple(report.robust[radius] for radius in radii)
    return Attacked(name, values["norm"], report.clean, radii, robust, report.stuck, count)


def _noisy(
    module: nn.Module,
    data: Dataset,
    split: Split,
    values: Mapping[str, Any],
    clean: float,
    seed: int,
    batch: int,
) -> Noisy:
    sigmas = tuple(values["sigma"] * fraction for fraction in FRACTIONS)
    means, spreads, changes = [], [], []
    for sigma in sigmas:
        accuracies = [
            task.accuracy(noisy_outputs(module, data, split.x, sigma, seed, copy, batch), split.y)
            for copy in range(values["copies"])
        ]
        mean, spread = averaged(accuracies)
        means.append(mean)
        spreads.append(spread)
        changes.append(math.fsum(abs(a - clean) for a in accuracies) / len(accuracies))
    return Noisy(sigmas, tuple(means), tuple(spreads), tuple(changes), values["copies"])
