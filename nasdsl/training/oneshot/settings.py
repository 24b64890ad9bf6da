"""How a supernet is trained. No torch, so that the tables of searchers can use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Order = Literal["first", "second"]
Relaxed = Literal["softmax", "gumbel", "hard"]


@dataclass(frozen=True, slots=True)
class DartsSettings:
    """How a mixed supernet and its decisions are learned.

    The defaults are those of DARTS (Liu, Simonyan and Yang, 2019).

    Attributes:
        epochs: passes over the half of the training samples that weights are fitted to.
        batch: samples of one step, of either half.
        lr, final: learning rate of the weights, and what its cosine ends at.
        momentum, weight_decay: of the weights.
        clip: bound of the norm of the weights' gradient.
        decision_lr, decision_decay: learning rate and L2 penalty of the decisions, under Adam
            with decays of 0.5 and 0.999.
        order: ``first`` takes the weights as they are for the best ones of the decisions;
            ``second`` takes them one step further and differentiates through that step.
        relaxation: how learned vectors become weights of alternatives.
        split: part of the training samples that weights are fitted to; the decisions are
            fitted to the others.
        neighbors: neighbors of the mixture over which the decisions' loss is averaged, drawn
            anew for each step; 0 is plain DARTS.
        warmup: epochs before the decisions are learned.
    """

    epochs: int = 50
    batch: int = 64
    lr: float = 0.025
    final: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    clip: float = 5.0
    decision_lr: float = 3e-4
    decision_decay: float = 1e-3
    order: Order = "first"
    relaxation: Relaxed = "softmax"
    split: float = 0.5
    neighbors: int = 0
    warmup: int = 0


@dataclass(frozen=True, slots=True)
class ElasticSettings:
    """How an elastic supernet is trained: by the sandwich rule.

    Attributes:
        epochs: passes over the training samples.
        batch: samples of one step.
        lr, momentum, weight_decay: of SGD; the rate falls along half a cosine to zero.
        clip: bound of the norm of the gradient.
        paths: random paths of a step, beside the largest and the smallest.
        rho: radius of sharpness-aware steps, 0 for plain ones.
        adaptive: whether the radius is in units of the weights (ASAM).
    """

    epochs: int = 30
    batch: int = 64
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 5.0
    paths: int = 2
    rho: float = 0.0
    adaptive: bool = False
