"""Settings of a search on an elastic supernet, and what its file must ask for.

The supernet is an evaluator and no searcher: it lends its weights to every architecture, which is
then trained as the file's ``train`` says, so a few steps are enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasdsl.language.settings import Option
from nasdsl.training.oneshot.settings import ElasticSettings

_POSITIVE = 1e-12
_D = ElasticSettings()

OPTIONS = (
    Option("alpha", "float", 0.5, minimum=0, maximum=1, doc="weight of the error; 1: it alone"),
    Option("initial", "int", 20, minimum=2, doc="uniform draws to learn from first"),
    Option("batch", "int", 8, minimum=1, doc="proposals between two looks at outcomes"),
    Option(
        "model",
        "name",
        "gp",
        values=("gp", "forest", "mlp", "rbf", "auto"),
        doc="what predicts; auto, as published: what ranks held-out proposals best",
    ),
    Option("population", "int", 40, minimum=2, doc="of NSGA-II on the predictions"),
    Option("generations", "int", 20, minimum=1, doc="of NSGA-II on the predictions"),
    Option("epochs", "int", _D.epochs, minimum=1, doc="of the supernet, on all training samples"),
    Option("images", "int", _D.batch, minimum=1, doc="samples of one step of the supernet"),
    Option("lr", "float", _D.lr, minimum=_POSITIVE, doc="learning rate of the supernet"),
    Option("momentum", "float", _D.momentum, minimum=0, maximum=1, doc="of the supernet"),
    Option("weight_decay", "float", _D.weight_decay, minimum=0, doc="of the supernet"),
    Option("clip", "float", _D.clip, minimum=_POSITIVE, doc="norm of the supernet's gradient"),
    Option("paths", "int", _D.paths, minimum=0, doc="random paths of a step of the supernet"),
    Option("rho", "float", 0.05, minimum=0, doc="radius of its sharpness-aware steps; 0: plain"),
    Option("adaptive", "bool", _D.adaptive, doc="whether that is in units of the weights"),
)

_SHARED = ("epochs", "lr", "momentum", "weight_decay", "clip", "paths", "rho", "adaptive")


def training(settings: Mapping[str, Any]) -> ElasticSettings:
    """The settings of the supernet's training among those of the search."""
    return ElasticSettings(batch=settings["images"], **{name: settings[name] for name in _SHARED})


def demand(settings: Mapping[str, Any], objectives: Sequence[str]) -> str | None:
    """What the objectives lack: accuracy, and flatness of weights unless alpha is 1."""
    flat = settings["alpha"] == 1 or any(name == "flatness.weights" for name in objectives)
    if (not objectives or "accuracy" in objectives) and flat:
        return None
    return (
        "'flatnas' weighs accuracy against flatness; write: objective { maximize accuracy, "
        "minimize flatness.weights, minimize params }"
    )
