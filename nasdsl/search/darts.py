"""DARTS: what alternatives a mixed supernet has learned to weigh most is proposed.

Source: H. Liu, K. Simonyan, Y. Yang, "DARTS: Differentiable Architecture Search", ICLR 2019.
Before the first proposal the run trains a supernet in which every decision is a weighted sum of
its alternatives. The search itself proposes from the learned weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from nasdsl.language.settings import Option
from nasdsl.search.learned import FromWeights
from nasdsl.training.oneshot.settings import DartsSettings

if TYPE_CHECKING:
    from nasdsl.space import Space

_POSITIVE = 1e-12
_D = DartsSettings()

SAMPLES = Option("samples", "int", 1, minimum=1, doc="architectures that the searcher proposes")
"""One by default, as in the paper: the architecture of the largest weights."""

OPTIONS = (
    Option("epochs", "int", _D.epochs, minimum=1, doc="passes over half the training samples"),
    Option("batch", "int", _D.batch, minimum=1, doc="samples of one step of either side"),
    Option("order", "name", _D.order, values=("first", "second"), doc="of the decisions' gradient"),
    Option(
        "relaxation",
        "name",
        _D.relaxation,
        values=("softmax", "gumbel", "hard"),
        doc="how learned vectors become weights",
    ),
    Option("lr", "float", _D.lr, minimum=_POSITIVE, doc="learning rate of the weights"),
    Option("final", "float", _D.final, minimum=0, doc="what its cosine ends at"),
    Option("momentum", "float", _D.momentum, minimum=0, maximum=1, doc="of the weights"),
    Option("weight_decay", "float", _D.weight_decay, minimum=0, doc="of the weights"),
    Option("clip", "float", _D.clip, minimum=_POSITIVE, doc="norm of the weights' gradient"),
    Option("decision_lr", "float", _D.decision_lr, minimum=_POSITIVE, doc="Adam's, of decisions"),
    Option("decision_decay", "float", _D.decision_decay, minimum=0, doc="of the decisions"),
    Option(
        "split",
        "float",
        _D.split,
        minimum=0.01,
        maximum=0.99,
        doc="part of the training samples for weights; decisions have the others",
    ),
    Option("warmup", "int", _D.warmup, minimum=0, doc="epochs before decisions are learned"),
)


def training(settings: Mapping[str, Any]) -> DartsSettings:
    """The settings of the supernet's training among those of the search."""
    names = {field.name for field in fields(DartsSettings)}
    plain: dict[str, Any] = {
        k: str(v) if isinstance(v, str) else v for k, v in settings.items() if k in names
    }
    return DartsSettings(**plain)


def build(space: Space, settings: Mapping[str, Any]) -> FromWeights:
    """The searcher on the weights that stand in the settings under ``learned``."""
    return FromWeights(space, settings["seed"], settings["learned"])
