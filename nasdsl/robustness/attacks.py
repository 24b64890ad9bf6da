"""Accuracy under attack: the share of images that are right and stay right in the whole ball, as
far as an attack can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nasdsl.robustness import counter
from nasdsl.robustness.apgd import apgd
from nasdsl.robustness.attacked import Norm, Outputs, outputs, pixels, right, slope
from nasdsl.robustness.gradient_attacks import fgsm, pgd
from nasdsl.robustness.square import square
from nasdsl.training.data.dataset import Dataset, Split
from nasdsl.training.loop import PREDICTION_BATCH, evaluating

ATTACKS: Mapping[str, Callable[..., Tensor]] = {
    "fgsm": lambda run, x, y, epsilon, norm, keys: fgsm(run, x, y, epsilon, norm),
    "pgd": pgd,
    "apgd": apgd,
    "square": square,
}
"""``(run, images, classes, epsilon, norm, streams, ...) -> images in the ball``, by name."""

BLIND = frozenset({"square"})
"""Attacks that use no gradient."""


@dataclass(frozen=True)
class AttackReport:
    """What an attack left of a network's accuracy.

    Attributes:
        attack: its name.
        norm: of the balls.
        clean: accuracy without an attack, in percent.
        robust: accuracy under attack in percent, by epsilon.
        stays: by epsilon, which images are right and stay so, [N], on the CPU.
        stuck: right images without a gradient (it is zero or not finite everywhere): an attack
            that climbs can do nothing there, and their robustness is not shown by it.
    """

    attack: str
    norm: Norm
    clean: float
    robust: Mapping[float, float]
    stays: Mapping[float, Tensor]
    stuck: int


@torch.no_grad()
def evaluate_attack(
    module: nn.Module,
    data: Dataset,
    attack: str,
    epsilons: Sequence[float],
    norm: Norm = "linf",
    split: Split | None = None,
    seed: int = 0,
    batch: int = PREDICTION_BATCH,
    samples: int | None = None,
    **options: Any,
) -> AttackReport:
    """Robust accuracy at each epsilon.

    The network is attacked in eval mode on images in [0, 1], normalization being part of it.
    Images that are wrong to begin with are not attacked and count as not robust. Random parts
    come from one stream for each image: the size of a batch changes nothing beyond rounding.

    Args:
        module: a trained classifier of images, on the device of the data.
        data: says how samples are scaled and normalized.
        attack: a key of :data:`ATTACKS`.
        epsilons: radii of the balls, where images lie in [0, 1].
        norm: ``linf`` or ``l2``.
        split: which samples; the validation samples by default.
        seed: of random starts and squares.
        batch: images attacked at once.
        samples: attack the first so many only.
        options: of the attack: ``steps`` (pgd, apgd), ``step`` (pgd), ``queries`` (square).

    Raises:
        ValueError: no such attack or norm, or data that are not images with classes.
    """
    if attack not in ATTACKS:
        raise ValueError(f"no attack '{attack}'; there are {', '.join(ATTACKS)}")
    if norm not in ("linf", "l2"):
        raise ValueError(f"'{norm}' is not a norm; write linf or l2")
    if data.kind != "classes" or len(data.input.shape) != 3:
        raise ValueError("attacks are for images with classes")
    split = split or data.validation
    count = len(split) if samples is None else min(samples, len(split))
    run = outputs(module, data)
    climb = attack not in BLIND
    clean: list[Tensor] = []
    stays: dict[float, list[Tensor]] = {epsilon: [] for epsilon in epsilons}
    stuck = 0
    with evaluating(module):
        for start in range(0, count, batch):
            place = slice(start, min(start + batch, count))
            x, y = pixels(data, split.x[place]), split.y[place]
            indices = torch.arange(start, start + len(x), device=x.device)
            sound = right(run(x), y)
            clean.append(sound.cpu())
            keys = counter.streams(indices, seed, "attack", attack, norm)[sound]
            if climb and sound.any():
                stuck += _stuck(run, x[sound], y[sound])
            for epsilon in epsilons:
                left = sound.clone()
                if epsilon > 0 and sound.any():
                    way = partial(ATTACKS[attack], run, x[sound], y[sound], epsilon, norm, keys)
                    # What the attack says of itself is not asked: the result is looked at.
                    left[sound] = right(run(way(**options)), y[sound])
                stays[epsilon].append(left.cpu())
    kept = {epsilon: torch.cat(parts) for epsilon, parts in stays.items()}
    shares = {epsilon: 100.0 * float(k.double().mean()) for epsilon, k in kept.items()}
    return AttackReport(
        attack, norm, 100.0 * float(torch.cat(clean).double().mean()), shares, kept, stuck
    )


def _stuck(run: Outputs, x: Tensor, y: Tensor) -> int:
    gradient, _, _ = slope(run, x, y)
    flat = gradient.flatten(1)
    return int(((flat == 0).all(1) | ~torch.isfinite(flat).all(1)).sum())
